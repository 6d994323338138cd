"""The messages of the HTTP API, for the function, the page and every other client."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from contract.errors import AnalyzerError

MAX_BODY_BYTES = 4_500_000  # base64 adds a third, and Lambda accepts events of up to 6 MB

# The most important metrics of a model, for places that show only a few: the page, the log of a job, the registry.
HEADLINE_METRICS = (
    "balanced_accuracy",
    "macro_f1",
    "any_malignant_sensitivity",
    "any_malignant_specificity",
    "melanoma_sensitivity",
    "ece",
)

PROBLEM_CONTENT_TYPE = "application/problem+json"

Probability = Annotated[float, Field(ge=0, le=1)]
Outcome = Literal["see_a_doctor", "low_risk", "inconclusive", "unfamiliar"]


class Message(BaseModel):
    """Base of all messages: unknown keys are refused, and values cannot be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)  # JSON has no NaN


class ClassProbability(Message):
    """One of the seven classes, with its probability."""

    code: str
    name: str
    malignant: bool
    probability: Probability


class QualityFinding(Message):
    """One reason why the picture is too poor to classify: the measured value, its threshold, and what to do."""

    code: str
    message: str
    value: float
    threshold: float


class Square(Message):
    """The part of the upright picture that the model sees, in pixels of the picture."""

    left: Annotated[int, Field(ge=0)]
    top: Annotated[int, Field(ge=0)]
    side: Annotated[int, Field(gt=0)]

    @classmethod
    def inside(cls, left: float, top: float, side: float, *, width: int, height: int) -> "Square":
        """Round a square to whole pixels inside a picture of width x height pixels."""
        whole_side = max(1, min(round(side), width, height))
        whole_left, whole_top = (
            max(0, min(round(start), length - whole_side)) for start, length in ((left, width), (top, height))
        )
        return cls(left=whole_left, top=whole_top, side=whole_side)


class Picture(Message):
    """The size of the upright picture in pixels, the square of it that the model sees, and its quality findings."""

    width: Annotated[int, Field(gt=0)]
    height: Annotated[int, Field(gt=0)]
    square: Square
    quality: list[QualityFinding]


class Explanation(Message):
    """The parts of the picture that are evidence for the likeliest class.

    `grid` has h rows of w values in 0..1, top row first. It covers the square that the model sees: `image.square`.
    1 is the strongest evidence in this picture; 0 is none, or evidence against the class.
    """

    code: str
    grid: list[list[Probability]]


class Timing(Message):
    """Milliseconds spent inside the function."""

    decode: float
    inference: float
    total: float


class Prediction(Message):
    """The prediction for one picture."""

    prediction_id: str
    model_version: str
    outcome: Outcome
    unfamiliar: bool  # the picture is unlike the training pictures; with see_a_doctor, the answer is less certain
    classes: list[ClassProbability]  # all seven, likeliest first
    malignant_probability: Probability
    image: Picture
    explanation: Explanation | None
    timing_ms: Timing
    disclaimer: str


class OperatingPoint(Message):
    """A threshold chosen on validation lesions, with its sensitivity and specificity there."""

    threshold: Probability
    sensitivity: Probability
    specificity: Probability
    classes: list[str]  # codes whose probabilities are added up and compared with the threshold


class Metric(Message):
    """A metric of the test lesions, with its 95% interval."""

    value: float
    low: float
    high: float


class Limits(Message):
    """The limits of a picture."""

    max_body_bytes: int
    max_pixels: int
    min_side_px: int
    content_types: list[str]


class ModelDescription(Message):
    """The model that serves at the moment."""

    version: str
    labels: list[str]
    input_size_px: int
    metrics: dict[str, Metric]
    operating_points: dict[str, OperatingPoint]
    limits: Limits
    licence: str
    intended_use: str
    disclaimer: str


class Health(Message):
    """The model is loaded; if it is not, the answer is a Problem instead."""

    status: Literal["ok"]
    model_version: str


class Problem(Message):
    """An error in the format of RFC 9457: `code` is for programs, `detail` for people."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str

    @classmethod
    def of(cls, error: AnalyzerError, *, request_id: str) -> "Problem":
        """Make the problem of an error."""
        return cls(
            type=f"urn:skin-lesion-analyzer:problem:{error.code}",
            title=error.title,
            status=error.status,
            detail=str(error),
            code=error.code,
            request_id=request_id,
        )
