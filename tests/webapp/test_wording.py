"""How the page says in plain language what the API answered in codes and numbers."""

from typing import get_args

import pytest

from contract.api import Metric, Outcome, Picture, QualityFinding
from webapp import wording


def test_every_outcome_has_its_words_and_sends_doubters_to_a_doctor() -> None:
    assert set(wording.OUTCOMES) == set(get_args(Outcome))
    for text in wording.OUTCOMES.values():
        assert "doctor" in text.advice or "dermatologist" in text.advice


def test_an_inconclusive_answer_says_whether_the_picture_is_to_blame(prediction) -> None:
    blurred = Picture(
        width=600, height=450, quality=[QualityFinding(code="blurred", message="Blurred.", value=2, threshold=4)]
    )
    assert "not good enough" in wording.outcome_text(prediction("inconclusive", image=blurred)).meaning
    assert "stands out" in wording.outcome_text(prediction("inconclusive")).meaning


@pytest.mark.parametrize(
    ("probability", "said"),
    [(0, "under 1%"), (0.0099, "under 1%"), (0.01, "1%"), (0.625, "62%"), (0.99, "99%"), (0.991, "over 99%")],
)
def test_no_probability_is_said_to_be_certain(probability: float, said: str) -> None:
    assert wording.percent(probability) == said


@pytest.mark.parametrize(
    ("row", "column", "said"),
    [(0, 0, "at the top left"), (0, 3, "at the top"), (3, 6, "at the right"), (3, 3, "in the middle")],
)
def test_the_strongest_evidence_is_placed_in_words(row: int, column: int, said: str) -> None:
    grid = [[0.1] * 7 for _ in range(7)]
    grid[row][column] = 1.0
    assert wording.place_of_most(grid) == said


def test_no_evidence_lies_nowhere() -> None:
    assert wording.place_of_most([[0.0, 0.0]]) == "nowhere in particular"


def test_a_class_that_the_page_does_not_know_keeps_its_code() -> None:
    assert (wording.class_name("scc"), wording.class_description("scc"), wording.is_malignant("scc")) == (
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
    assert wording.readable(name) == said


@pytest.mark.parametrize(("duration_s", "said"), [(1, "1 second"), (30, "30 seconds"), (600, "10 minutes")])
def test_waits_are_said_as_people_do(duration_s: int, said: str) -> None:
    assert wording.seconds(duration_s) == said


def test_what_says_how_good_a_model_is_stands_before_what_experts_look_up() -> None:
    metric = Metric(value=0.5, low=0.4, high=0.6)
    headline, others = wording.split_metrics({"ece": metric, "brier": metric, "balanced_accuracy": metric})
    assert list(headline) == ["balanced_accuracy", "ece"]
    assert list(others) == ["brier"]
