"""The family of errors raised on purpose: each has a code for programs and a sentence for people."""

from typing import ClassVar


class AnalyzerError(Exception):
    """Something foreseen went wrong. `str(error)` is one plain sentence with what to do next."""

    code: ClassVar[str] = "failed"  # for programs, stable
    status: ClassVar[int] = 500  # over HTTP; a base class is never answered with
    title: ClassVar[str] = "The request failed"  # the same for every error of the code
    retry_after_s: ClassVar[int | None] = None  # when trying again may help


class MalformedRequestError(AnalyzerError):
    """The request itself is broken: no body, base64 that is none, a form without a picture, a bad query."""

    code, status, title = "malformed_request", 400, "The request is malformed"


class NotFoundError(AnalyzerError):
    """There is no such route."""

    code, status, title = "not_found", 404, "There is nothing here"


class MethodNotAllowedError(AnalyzerError):
    """The route exists, and takes another method."""

    code, status, title = "method_not_allowed", 405, "The method is not allowed"


class PayloadTooLargeError(AnalyzerError):
    """More bytes than the API takes: the caller must shrink the picture."""

    code, status, title = "payload_too_large", 413, "The picture is too large"


class UnsupportedPictureError(AnalyzerError):
    """The bytes start like no format that is taken: the caller must send JPEG, PNG or WebP."""

    code, status, title = "unsupported_picture", 415, "This is not a picture format that is taken"


class UnreadableImageError(AnalyzerError):
    """The bytes start like a picture but cannot be decoded: the caller must send another."""

    code, status, title = "unreadable_image", 422, "The picture cannot be read"


class TooManyPixelsError(AnalyzerError):
    """The header declares more pixels than are decoded; nothing was decoded."""

    code, status, title = "too_many_pixels", 422, "The picture has too many pixels"


class TooFewPixelsError(AnalyzerError):
    """The picture is too small to show a lesion."""

    code, status, title = "too_few_pixels", 422, "The picture is too small"


class TooManyRequestsError(AnalyzerError):
    """More requests at once than are served: try again after `retry_after_s`."""

    code, status, title, retry_after_s = "too_many_requests", 429, "Too many requests", 1


class ModelUnavailableError(AnalyzerError):
    """No model can be served: none was set, it cannot be fetched, or it was refused."""

    code, status, title, retry_after_s = "model_unavailable", 503, "There is no model to answer with", 30


class BundleError(ModelUnavailableError):
    """A model bundle that is incomplete or does not agree with its manifest; it is never served."""

    code, title = "invalid_bundle", "The model bundle was refused"


class StorageUnavailableError(AnalyzerError):
    """S3 refuses or gives no whole answer: try again, or let the function's role read and write there."""

    code, status, title, retry_after_s = "storage_unavailable", 503, "S3 cannot be used", 30


class MissingObjectError(AnalyzerError):
    """S3 has no object of that key: it was deleted, or never stored."""

    code, status, title = "missing_object", 404, "There is no such object in S3"


class InvalidUriError(AnalyzerError):
    """A URI that names no place where objects can be: the caller must write another."""

    code, title = "invalid_uri", "The URI is not valid"


class DatasetError(AnalyzerError):
    """Labelled pictures that cannot be trained on as they lie."""

    code, title = "invalid_dataset", "The pictures cannot be used"


class TrainingError(AnalyzerError):
    """A training run that cannot start or go on."""

    code, title = "training_failed", "The training run failed"


class DeploymentError(AnalyzerError):
    """AWS refuses, or a stack, job or model there is not as asked; what was there before still is."""

    code, title = "deployment_failed", "AWS did not do what was asked"


def family(of: type[AnalyzerError] = AnalyzerError) -> list[type[AnalyzerError]]:
    """List every kind of error there is, of any depth."""
    return [member for child in of.__subclasses__() for member in (child, *family(child))]
