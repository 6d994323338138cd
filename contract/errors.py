"""All expected errors: each has a code for programs and a sentence for people."""

from typing import ClassVar


class AnalyzerError(Exception):
    """Base of all expected errors. `str(error)` is one plain sentence with the problem and the next step."""

    code: ClassVar[str] = "failed"  # for programs, stable
    status: ClassVar[int] = 500  # over HTTP; the API never answers with a base class
    title: ClassVar[str] = "The request failed"  # the same for every error of the code
    retry_after_s: ClassVar[int | None] = None  # set where a retry may help


class MalformedRequestError(AnalyzerError):
    """The request is not valid: no body, bad base64, a form without a picture, or a bad query."""

    code, status, title = "malformed_request", 400, "The request is malformed"


class NotFoundError(AnalyzerError):
    """There is no such route."""

    code, status, title = "not_found", 404, "There is nothing here"


class MethodNotAllowedError(AnalyzerError):
    """The route exists, but not with this method."""

    code, status, title = "method_not_allowed", 405, "The method is not allowed"


class PayloadTooLargeError(AnalyzerError):
    """More bytes than the API accepts: the caller must shrink the picture."""

    code, status, title = "payload_too_large", 413, "The picture is too large"


class UnsupportedPictureError(AnalyzerError):
    """The first bytes match no accepted format: the caller must send JPEG, PNG, WebP or HEIC."""

    code, status, title = "unsupported_picture", 415, "This picture format is not supported"


class UnreadableImageError(AnalyzerError):
    """The bytes start like a picture but cannot be decoded: the caller must send another picture."""

    code, status, title = "unreadable_image", 422, "The picture cannot be read"


class TooManyPixelsError(AnalyzerError):
    """The header declares more pixels than are allowed; nothing was decoded."""

    code, status, title = "too_many_pixels", 422, "The picture has too many pixels"


class TooFewPixelsError(AnalyzerError):
    """The picture is too small to show a lesion."""

    code, status, title = "too_few_pixels", 422, "The picture is too small"


class TooManyRequestsError(AnalyzerError):
    """Too many requests at once: try again after `retry_after_s`."""

    code, status, title, retry_after_s = "too_many_requests", 429, "Too many requests", 1


class ModelUnavailableError(AnalyzerError):
    """There is no model to serve: none is set, or it cannot be fetched, or it was refused."""

    code, status, title, retry_after_s = "model_unavailable", 503, "There is no model to answer with", 30


class BundleError(ModelUnavailableError):
    """A model bundle is incomplete or differs from its manifest; it is never served."""

    code, title = "invalid_bundle", "The model bundle was refused"


class StorageUnavailableError(AnalyzerError):
    """S3 refuses or gives no complete answer: try again, or allow the function's role to read and write there."""

    code, status, title, retry_after_s = "storage_unavailable", 503, "S3 cannot be used", 30


class MissingObjectError(AnalyzerError):
    """S3 has no object with that key: it was deleted or never stored."""

    code, status, title = "missing_object", 404, "There is no such object in S3"


class InvalidUriError(AnalyzerError):
    """A URI is not valid: the caller must write another."""

    code, title = "invalid_uri", "The URI is not valid"


class DatasetError(AnalyzerError):
    """The labelled pictures cannot be used for training as they are."""

    code, title = "invalid_dataset", "The pictures cannot be used"


class TrainingError(AnalyzerError):
    """A training run cannot start or continue."""

    code, title = "training_failed", "The training run failed"


class DeploymentError(AnalyzerError):
    """AWS refuses, or a stack, job or model there is not as requested; nothing was changed."""

    code, title = "deployment_failed", "The deployment failed"


def error_classes(base: type[AnalyzerError] = AnalyzerError) -> list[type[AnalyzerError]]:
    """List all subclasses, direct and indirect."""
    return [found for child in base.__subclasses__() for found in (child, *error_classes(child))]
