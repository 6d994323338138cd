"""One example of every answer of the API."""

from typing import Final

from contract.api import (
    MAX_BODY_BYTES,
    ClassProbability,
    Explanation,
    Health,
    Limits,
    Metric,
    ModelDescription,
    OperatingPoint,
    Picture,
    Prediction,
    Problem,
    QualityFinding,
    Square,
    Timing,
)
from contract.bundle import ANY_MALIGNANT, INTENDED_USE, LICENCE
from contract.errors import (
    AnalyzerError,
    BundleError,
    MalformedRequestError,
    ModelUnavailableError,
    PayloadTooLargeError,
    TooFewPixelsError,
    TooManyPixelsError,
    UnreadableImageError,
    UnsupportedPictureError,
)
from contract.image import CONTENT_TYPES
from contract.labels import BY_CODE, CODES, DISCLAIMER, MALIGNANT_CODES
from contract.picture.limits import MAX_PIXELS, MIN_SIDE_PX
from contract.quality import MESSAGES, SHARPNESS

VERSION: Final = "20260504T030201Z-0a1b2c3d"
REQUEST_ID: Final = "8a1f6f6e-35a4-4d0b-9a52-9d1f6f0c2b7e"

_SHARES = {"nv": 0.802, "mel": 0.101, "bkl": 0.052, "bcc": 0.021, "df": 0.012, "vasc": 0.007, "akiec": 0.005}
_CLASSES = [
    ClassProbability(code=code, name=BY_CODE[code].name, malignant=BY_CODE[code].malignant, probability=share)
    for code, share in _SHARES.items()
]

PREDICTION: Final = Prediction(
    prediction_id="6f8d2f0e-6d1c-4e0e-8f39-0d7a3c1b5a94",
    model_version=VERSION,
    outcome="low_risk",
    unfamiliar=False,
    classes=_CLASSES,
    malignant_probability=0.127,
    image=Picture(width=600, height=450, square=Square(left=75, top=0, side=450), quality=[]),
    explanation=Explanation(code="nv", grid=[[0.0, 0.12, 0.03], [0.2, 1.0, 0.41], [0.0, 0.33, 0.08]]),
    timing_ms=Timing(decode=2.9, inference=31.4, total=35.0),
    disclaimer=DISCLAIMER,
)
BLURRED_PREDICTION: Final = PREDICTION.model_copy(
    update={
        "outcome": "inconclusive",
        "explanation": None,
        "image": Picture(
            width=600,
            height=450,
            square=Square(left=75, top=0, side=450),
            quality=[QualityFinding(code="blurred", message=MESSAGES["blurred"], value=1.7, threshold=SHARPNESS)],
        ),
    }
)
MODEL: Final = ModelDescription(
    version=VERSION,
    labels=list(CODES),
    input_size_px=224,
    metrics={"balanced_accuracy": Metric(value=0.8, low=0.76, high=0.83)},
    operating_points={
        ANY_MALIGNANT: OperatingPoint(threshold=0.2, sensitivity=0.95, specificity=0.71, classes=list(MALIGNANT_CODES))
    },
    limits=Limits(
        max_body_bytes=MAX_BODY_BYTES,
        max_pixels=MAX_PIXELS,
        min_side_px=MIN_SIDE_PX,
        content_types=list(CONTENT_TYPES),
    ),
    licence=LICENCE,
    intended_use=INTENDED_USE,
    disclaimer=DISCLAIMER,
)
HEALTH: Final = Health(status="ok", model_version=VERSION)
PROBLEMS: Final = {
    error.code: Problem.of(error, request_id=REQUEST_ID)
    for error in (
        MalformedRequestError("The request has no picture in its body."),
        PayloadTooLargeError("The picture is over 4.5 MB. Send a smaller one."),
        UnsupportedPictureError("The file is not a JPEG, PNG, WebP or HEIC picture. Please send one of these."),
        UnreadableImageError("The picture is damaged or incomplete and cannot be read. Please send it again."),
        TooManyPixelsError("The picture has 60000 x 60000 pixels; at most 50 megapixels are allowed."),
        TooFewPixelsError("The picture has 1 x 1 pixels; each side must have at least 32."),
        ModelUnavailableError("No model has been deployed yet. Promote one, and try again."),
        BundleError("The model bundle lacks model.onnx. Publish the model again."),
    )
}


def example_of(error: type[AnalyzerError]) -> Problem:
    """Return the example of a kind of error."""
    return PROBLEMS[error.code]
