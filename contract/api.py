"""What crosses the wire between the function, the page and every other caller."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from contract.errors import AnalyzerError

MAX_BODY_BYTES = 4_500_000  # base64 adds a third, and Lambda takes events of up to 6 MB

# The measures that say how good a model is, wherever there is room for a few: the page, a job's log, the registry.
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
    """What every message has in common: unknown keys are refused, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)  # JSON has no word for NaN


class ClassProbability(Message):
    """One of the seven classes and how likely the model holds it to be."""

    code: str
    name: str
    malignant: bool
    probability: Probability


class QualityFinding(Message):
    """One reason why the picture may be too poor to judge: what was measured, what it missed, and what to do."""

    code: str
    message: str
    value: float
    threshold: float


class Picture(Message):
    """The picture as it was understood: upright, in pixels."""

    width: Annotated[int, Field(gt=0)]
    height: Annotated[int, Field(gt=0)]
    quality: list[QualityFinding]


class Explanation(Message):
    """Where the evidence for the leading class lies.

    `grid` has h rows of w values in 0..1, top row first, over the centre square of the upright picture,
    which is all that the model sees. 1 is the strongest evidence in this picture, 0 none or evidence against.
    """

    code: str
    grid: list[list[Probability]]


class Timing(Message):
    """Milliseconds spent inside the function."""

    decode: float
    inference: float
    total: float


class Prediction(Message):
    """The answer to one picture."""

    prediction_id: str
    model_version: str
    outcome: Outcome
    classes: list[ClassProbability]  # all seven, likeliest first
    malignant_probability: Probability
    image: Picture
    explanation: Explanation | None
    timing_ms: Timing
    disclaimer: str


class OperatingPoint(Message):
    """A threshold chosen on validation lesions, and what it reached there."""

    threshold: Probability
    sensitivity: Probability
    specificity: Probability
    classes: list[str]  # the codes whose probabilities are added up and held against the threshold


class Metric(Message):
    """A number measured on held-out lesions, with its 95% interval."""

    value: float
    low: float
    high: float


class Limits(Message):
    """What a picture may be."""

    max_body_bytes: int
    max_pixels: int
    min_side_px: int
    content_types: list[str]


class ModelDescription(Message):
    """What serves at the moment."""

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
    """A picture would be answered now; when it would not, the answer is a Problem instead."""

    status: Literal["ok"]
    model_version: str


class Problem(Message):
    """An error as RFC 9457 has it: `code` is for programs, `detail` for people."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str

    @classmethod
    def of(cls, error: AnalyzerError, *, request_id: str) -> "Problem":
        """Describe an error of ours to whoever caused it."""
        return cls(
            type=f"urn:skin-lesion-analyzer:problem:{error.code}",
            title=error.title,
            status=error.status,
            detail=str(error),
            code=error.code,
            request_id=request_id,
        )
