"""The errors of the page."""

from contract.api import Problem
from contract.errors import AnalyzerError


class SettingsError(AnalyzerError, RuntimeError):
    """The page cannot run with its environment; the message names the variable.

    It is also a RuntimeError because gunicorn, which loads the page, shows a RuntimeError as a sentence without a
    traceback and exits with status 1.
    """

    code, title = "invalid_settings", "The page cannot start"


class FormRefusedError(AnalyzerError):
    """The form does not come from this page or is too old: the person must send it again."""

    code, status, title = "form_refused", 403, "Please send the form again"


class NoPictureChosenError(AnalyzerError):
    """The form has no picture."""

    code, status, title = "no_picture_chosen", 400, "No picture was chosen"


class EmptyFileError(AnalyzerError):
    """The chosen file has no bytes."""

    code, status, title = "empty_file", 400, "The file is empty"


class SeveralPicturesError(AnalyzerError):
    """The form has more than one picture."""

    code, status, title = "several_pictures", 400, "Please send one picture"


class FormUnreadableError(AnalyzerError):
    """The body is not a complete form: the person must send it again."""

    code, status, title = "form_unreadable", 400, "The form could not be read"


class PageBusyError(AnalyzerError):
    """This process is already opening as many pictures as its memory allows."""

    code, status, title, retry_after_s = "page_busy", 503, "Busy at the moment", 5


class ClassifyError(AnalyzerError):
    """The API gave no usable answer: it is down, or the page or the API is misconfigured."""

    code, status, title = "classify_failed", 502, "No answer at the moment"


class ClassifyTimeoutError(ClassifyError):
    """The API took longer than the page waits."""

    code, status, title = "classify_timeout", 504, "The answer took too long"


class LostConnectionError(ClassifyError):
    """There was no connection to the API, or it broke: another try may succeed."""

    code = "lost_connection"


class SigningError(ClassifyError):
    """A call cannot be signed: there is no region, or no valid credentials. Visitors do not see the message."""

    code = "unsigned"


class ClassifyProblemError(ClassifyError):
    """The API answered with a problem document: `problem` has its status, code and detail."""

    def __init__(self, problem: Problem, wait_s: int | None) -> None:
        super().__init__(problem.detail)
        self.problem = problem
        self.wait_s = wait_s  # the Retry-After header, in seconds
