"""The page's text for codes and numbers from the API."""

from typing import get_args

import pytest

from contract.api import Metric, Outcome, Picture, QualityFinding, Square
from tests.webapp.conftest import MakePrediction
from webapp import display_text


def test_every_outcome_has_a_text_that_names_a_doctor() -> None:
    assert set(display_text.OUTCOMES) == set(get_args(Outcome))
    for text in display_text.OUTCOMES.values():
        assert "doctor" in text.advice or "dermatologist" in text.advice


def test_an_inconclusive_answer_says_whether_the_picture_is_the_reason(prediction: MakePrediction) -> None:
    blurred = Picture(
        width=600,
        height=450,
        square=Square(left=75, top=0, side=450),
        quality=[QualityFinding(code="blurred", message="Blurred.", value=2, threshold=4)],
    )
    assert "not good enough" in display_text.outcome_text(prediction("inconclusive", image=blurred)).meaning
    assert "more likely than the others" in display_text.outcome_text(prediction("inconclusive")).meaning


def test_a_suspicion_about_a_poor_picture_stays_and_is_called_less_certain(prediction: MakePrediction) -> None:
    blurred = prediction("inconclusive").image.model_copy(
        update={"quality": [QualityFinding(code="blurred", message="Blurred.", value=2, threshold=4)]}
    )
    certain = display_text.outcome_text(prediction("see_a_doctor"))
    poor = display_text.outcome_text(prediction("see_a_doctor", image=blurred))
    unfamiliar = display_text.outcome_text(prediction("see_a_doctor", unfamiliar=True))
    assert certain.reliable
    for text in (poor, unfamiliar):
        assert text.title == certain.title
        assert certain.meaning in text.meaning
        assert "less certain" in text.meaning
        assert not text.reliable
    assert "not good" in poor.meaning
    assert "trained on" in unfamiliar.meaning


@pytest.mark.parametrize("outcome", ["inconclusive", "unfamiliar"])
def test_no_answer_is_not_called_harmless(prediction: MakePrediction, outcome: Outcome) -> None:
    assert "does not mean that the lesion is harmless" in display_text.outcome_text(prediction(outcome)).advice


@pytest.mark.parametrize(
    ("probability", "said"),
    [(0, "under 1%"), (0.0099, "under 1%"), (0.01, "1%"), (0.625, "62%"), (0.99, "99%"), (0.991, "over 99%")],
)
def test_no_probability_is_shown_as_certain(probability: float, said: str) -> None:
    assert display_text.percent(probability) == said


@pytest.mark.parametrize(
    ("row", "column", "said"),
    [(0, 0, "at the top left"), (0, 3, "at the top"), (3, 6, "at the right"), (3, 3, "in the middle")],
)
def test_the_position_of_the_strongest_evidence_is_described(row: int, column: int, said: str) -> None:
    grid = [[0.1] * 7 for _ in range(7)]
    grid[row][column] = 1.0
    assert display_text.strongest_position(grid) == said


def test_without_evidence_there_is_no_position() -> None:
    assert display_text.strongest_position([[0.0, 0.0]]) == "nowhere in particular"


def test_a_class_that_the_page_does_not_know_keeps_its_code() -> None:
    assert (
        display_text.class_name("scc"),
        display_text.class_description("scc"),
        display_text.is_malignant("scc"),
    ) == (
        "scc",
        "",
        False,
    )


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("balanced_accuracy", "Balanced accuracy"),
        ("melanoma_auc", "Melanoma AUC"),
        ("ece", "Calibration error"),
        ("", ""),
    ],
)
def test_names_for_programs_become_words(name: str, said: str) -> None:
    assert display_text.readable(name) == said


@pytest.mark.parametrize(("duration_s", "said"), [(1, "1 second"), (30, "30 seconds"), (600, "10 minutes")])
def test_waiting_times_are_formatted(duration_s: int, said: str) -> None:
    assert display_text.seconds(duration_s) == said


def test_the_headline_metrics_come_before_the_others() -> None:
    metric = Metric(value=0.5, low=0.4, high=0.6)
    headline, others = display_text.split_metrics({"ece": metric, "brier": metric, "balanced_accuracy": metric})
    assert list(headline) == ["balanced_accuracy", "ece"]
    assert list(others) == ["brier"]
