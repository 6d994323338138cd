"""What goes wrong on purpose in the page."""

from contract.api import Problem
from contract.errors import AnalyzerError


class SettingsError(AnalyzerError, RuntimeError):
    """The environment says something that the page cannot run with; the message names the variable.

    It is a RuntimeError too because gunicorn, which loads the page, shows such a one as a sentence without a
    traceback and exits with status 1.
    """

    code, title = "invalid_settings", "The page cannot start"


class FormRefusedError(AnalyzerError):
    """The form was not filled in on this page, or too long ago: it must be sent anew."""

    code, status, title = "form_refused", 403, "Please send the form again"


class NoPictureChosenError(AnalyzerError):
    """The form came without a picture."""

    code, status, title = "no_picture_chosen", 400, "No picture was chosen"


class PageBusyError(AnalyzerError):
    """This process is opening as many pictures as its memory allows."""

    code, status, title, retry_after_s = "page_busy", 503, "Busy at the moment", 5


class ClassifyError(AnalyzerError):
    """The API gave no answer that can be used: it is down, misconfigured, or not what it should be."""

    code, status, title = "classify_failed", 502, "No answer at the moment"


class ClassifyTimeoutError(ClassifyError):
    """The API took longer than the page waits."""

    code, status, title = "classify_timeout", 504, "The answer took too long"


class LostConnectionError(ClassifyError):
    """There was no connection to the API, or it broke: another try may reach it."""

    code = "lost_connection"


class SigningError(ClassifyError):
    """A call cannot be signed: there are no credentials, or they cannot be renewed. The message is for the log."""

    code = "unsigned"


class ClassifyProblemError(ClassifyError):
    """The API answered with a problem of its own: `problem` has its status, code and detail."""

    def __init__(self, problem: Problem, wait_s: int | None) -> None:
        super().__init__(problem.detail)
        self.problem = problem
        self.wait_s = wait_s  # what Retry-After said, in seconds
