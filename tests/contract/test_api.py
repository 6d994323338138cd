"""The messages of the API have exactly the agreed fields and values."""

import json
import math
from typing import Any

import pytest
from pydantic import ValidationError

from contract.api import (
    MAX_BODY_BYTES,
    ClassProbability,
    Explanation,
    Health,
    Metric,
    OperatingPoint,
    Prediction,
    Problem,
)
from contract.errors import AnalyzerError
from contract.labels import CLASSES
from tests.contract.test_errors import OURS

LAMBDA_EVENT_BYTES = 6 * 1024 * 1024


def prediction(**changes: Any) -> dict[str, Any]:
    """A complete prediction as JSON."""
    return {
        "prediction_id": "1",
        "model_version": "20260504T030201Z-01234567",
        "outcome": "low_risk",
        "unfamiliar": False,
        "classes": [{"code": c.code, "name": c.name, "malignant": c.malignant, "probability": 1 / 7} for c in CLASSES],
        "malignant_probability": 3 / 7,
        "image": {
            "width": 600,
            "height": 450,
            "square": {"left": 75, "top": 0, "side": 450},
            "quality": [{"code": "blurred", "message": "Hold still.", "value": 2.5, "threshold": 4.0}],
        },
        "explanation": {"code": "nv", "grid": [[0.0, 1.0], [0.5, 0.25]]},
        "timing_ms": {"decode": 1.0, "inference": 2.0, "total": 3.0},
        "disclaimer": "Not a diagnosis.",
        **changes,
    }


def test_a_prediction_survives_serialization() -> None:
    sent = Prediction.model_validate(prediction())
    assert Prediction.model_validate_json(sent.model_dump_json()) == sent
    assert json.loads(sent.model_dump_json()) == prediction()


def test_a_prediction_may_come_without_an_explanation() -> None:
    assert Prediction.model_validate(prediction(explanation=None)).explanation is None


@pytest.mark.parametrize(
    "changes",
    [
        {"extra": 1},
        {"outcome": "healthy"},
        {"malignant_probability": 1.01},
        {"malignant_probability": -0.01},
        {"malignant_probability": math.nan},
        {"malignant_probability": None},
        {"image": {"width": 0, "height": 450, "quality": []}},
        {"image": {"width": 600, "height": 450, "quality": [], "exif": {}}},
        {"explanation": {"code": "nv", "grid": [[2.0]]}},
        {"timing_ms": {"decode": math.inf, "inference": 2.0, "total": 3.0}},
        {"classes": [{"code": "nv", "name": "x", "malignant": False, "probability": 1.5}]},
        {"classes": [{"code": "nv", "name": "x", "malignant": False, "probability": 0.5, "p": 1}]},
    ],
    ids=str,
)
def test_a_prediction_with_an_invalid_value_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Prediction.model_validate(prediction(**changes))


@pytest.mark.parametrize("key", prediction())
def test_a_prediction_without_one_of_its_fields_is_refused(key: str) -> None:
    answer = prediction()
    del answer[key]
    with pytest.raises(ValidationError):
        Prediction.model_validate(answer)


@pytest.mark.parametrize("probability", [0.0, 0.5, 1.0])
def test_probabilities_from_zero_to_one_are_accepted(probability: float) -> None:
    assert ClassProbability(code="nv", name="x", malignant=False, probability=probability).probability == probability
    assert Explanation(code="nv", grid=[[probability]]).grid == [[probability]]


def test_messages_are_immutable() -> None:
    health = Health(status="ok", model_version="1")
    with pytest.raises(ValidationError):
        setattr(health, "status", "unavailable")  # noqa: B010 - the type checker refuses it too


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_numbers_that_json_does_not_have_are_refused(number: float) -> None:
    with pytest.raises(ValidationError):
        Metric(value=number, low=0, high=1)
    with pytest.raises(ValidationError):
        OperatingPoint(threshold=0.5, sensitivity=number, specificity=1, classes=["mel"])


@pytest.mark.parametrize("error", OURS)
def test_every_error_can_be_a_problem(error: type[AnalyzerError]) -> None:
    problem = Problem.of(error("Something is wrong. Mend it."), request_id="42")
    assert json.loads(problem.model_dump_json()) == {
        "type": f"urn:skin-lesion-analyzer:problem:{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": "Something is wrong. Mend it.",
        "code": error.code,
        "request_id": "42",
    }


def test_no_two_errors_are_described_by_the_same_type() -> None:
    assert len({Problem.of(error(""), request_id="").type for error in OURS}) == len(OURS)


def test_the_largest_picture_fits_into_an_event_of_lambda() -> None:
    in_base64 = math.ceil(MAX_BODY_BYTES / 3) * 4
    assert in_base64 < LAMBDA_EVENT_BYTES - 100_000  # headers and the rest of the event
