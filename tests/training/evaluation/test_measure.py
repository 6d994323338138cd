"""The evaluation: metrics as worked out by hand, and intervals that know pictures of one lesion belong together."""

import numpy as np
import pandas as pd
import pytest

from contract.api import OperatingPoint
from contract.labels import CODES
from training.evaluation.measure import (
    Evaluation,
    balanced_accuracy,
    evaluate,
    expected_calibration_error,
    resample_lesions,
    with_interval,
)

POINTS = {
    "any_malignant": OperatingPoint(threshold=0.5, sensitivity=1, specificity=1, classes=["akiec", "bcc", "mel"]),
    "melanoma": OperatingPoint(threshold=0.3, sensitivity=1, specificity=1, classes=["mel"]),
}


def rows_of(codes: list[str], lesions: list[int] | None = None) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "lesion_id": [f"HAM_{lesion}" for lesion in (lesions or range(len(codes)))],
            "class_index": [CODES.index(code) for code in codes],
            "sex": ["male" if number % 2 else "female" for number in range(len(codes))],
            "age": [float("nan") if number == 0 else 30.0 + number for number in range(len(codes))],
            "localization": "back",
            "dx_type": "histo",
        }
    )


def sure_of(codes: list[str], confidence: float = 0.8) -> np.ndarray:
    """Probabilities that give each code `confidence` and the others the same of the rest."""
    probabilities = np.full((len(codes), 7), (1 - confidence) / 6)
    probabilities[np.arange(len(codes)), [CODES.index(code) for code in codes]] = confidence
    return probabilities


def evaluated(truth: list[str], answered: list[str], lesions: list[int] | None = None) -> Evaluation:
    return evaluate(sure_of(answered), np.zeros(len(truth), bool), rows_of(truth, lesions), POINTS, seed=1)


def test_the_metrics_are_those_worked_out_by_hand() -> None:
    truth = ["nv", "nv", "nv", "nv", "mel", "mel", "bcc", "df"]
    answered = ["nv", "nv", "nv", "mel", "mel", "nv", "mel", "df"]
    values = {name: metric.value for name, metric in evaluated(truth, answered).metrics.items()}
    assert values["balanced_accuracy"] == pytest.approx((3 / 4 + 1 / 2 + 0 + 1) / 4)
    assert values["accuracy"] == pytest.approx(5 / 8)
    assert values["macro_f1"] == pytest.approx((2 * 3 / 8 + 2 * 1 / 5 + 0 + 1) / 4)
    assert values["any_malignant_sensitivity"] == pytest.approx(2 / 3)
    assert values["any_malignant_specificity"] == pytest.approx(4 / 5)
    assert values["melanoma_sensitivity"] == pytest.approx(1 / 2)
    assert values["ece"] == pytest.approx(0.8 - 5 / 8)
    assert values["unfamiliar_rate"] == 0


def test_balanced_accuracy_leads_and_accuracy_comes_last() -> None:
    names = list(evaluated(["nv", "mel"], ["nv", "mel"]).metrics)
    assert names[0] == "balanced_accuracy"
    assert names[-1] == "accuracy"


def test_the_confusion_matrix_counts_pictures_of_the_row_taken_for_the_column() -> None:
    confusion = evaluated(["nv", "nv", "mel"], ["nv", "mel", "mel"]).confusion
    assert confusion[CODES.index("nv"), CODES.index("mel")] == 1
    assert confusion.sum() == 3


def test_the_calibration_error_is_the_mean_gap_over_the_bins() -> None:
    # Ten answers of confidence 0.9, nine right: no gap. Ten of 0.5, two right: a gap of 0.3. Bins of 1/15.
    answered = ["nv"] * 20
    probabilities = np.concatenate([sure_of(answered[:10], 0.9), sure_of(answered[10:], 0.5)])
    truth = np.array([CODES.index(code) for code in ["nv"] * 9 + ["df"] + ["nv"] * 2 + ["df"] * 8])
    assert expected_calibration_error(probabilities, truth) == pytest.approx(0.15)


def test_certainty_falls_into_the_last_bin() -> None:
    assert expected_calibration_error(np.eye(7), np.arange(7)) == pytest.approx(0)


def test_a_class_without_pictures_is_left_out_of_the_balanced_accuracy() -> None:
    assert balanced_accuracy(np.array([5, 5, 4]), np.array([5, 5, 5])) == pytest.approx(2 / 3)


def test_pictures_of_one_lesion_are_drawn_together() -> None:
    weights = resample_lesions(np.array(["a", "b", "a", "c", "a"]), resamples=200, seed=0)
    assert np.array_equal(weights[:, 0], weights[:, 2])
    assert np.array_equal(weights[:, 0], weights[:, 4])
    assert not np.array_equal(weights[:, 0], weights[:, 1])
    assert (weights[:, [0, 1, 3]].sum(axis=1) == 3).all()  # as many lesions as there are


def test_repeated_pictures_of_the_same_lesions_make_no_narrower_interval() -> None:
    truth, answered = ["nv"] * 10 + ["mel"] * 10, ["nv"] * 8 + ["mel"] * 8 + ["nv"] * 4
    once = evaluated(truth, answered).metrics["accuracy"]
    five_times = evaluated(truth * 5, answered * 5, list(range(20)) * 5).metrics["accuracy"]
    as_if_independent = evaluated(truth * 5, answered * 5).metrics["accuracy"]
    assert (five_times.low, five_times.high) == pytest.approx((once.low, once.high))
    assert as_if_independent.high - as_if_independent.low < 0.7 * (once.high - once.low)


def test_the_interval_of_a_share_is_that_of_the_binomial() -> None:
    right = np.arange(400) < 300
    weights = resample_lesions(np.arange(400), resamples=4000, seed=0)
    metric = with_interval(lambda of: (of @ right) / of.sum(axis=1), weights)
    half_width = 1.96 * np.sqrt(0.75 * 0.25 / 400)
    assert metric is not None
    assert metric.value == 0.75
    assert (metric.low, metric.high) == pytest.approx((0.75 - half_width, 0.75 + half_width), abs=0.005)


def test_the_same_seed_gives_the_same_interval() -> None:
    truth, answered = ["nv"] * 9 + ["mel"] * 9, ["nv"] * 12 + ["mel"] * 6
    assert evaluated(truth, answered).metrics == evaluated(truth, answered).metrics


def test_what_these_pictures_cannot_show_is_left_out() -> None:
    metrics = evaluated(["nv", "nv", "bcc"], ["nv", "nv", "bcc"]).metrics
    assert "melanoma_sensitivity" not in metrics
    assert metrics["any_malignant_sensitivity"].value == 1


def test_slices_hold_every_group_large_enough_and_the_unknown_ages() -> None:
    truth = ["nv", "mel"] * 20
    slices = evaluated(truth, ["nv"] * 40).slices
    assert slices["sex"] == {
        "female": {"pictures": 20, "balanced_accuracy": 1.0},
        "male": {"pictures": 20, "balanced_accuracy": 0.0},
    }
    assert slices["site"]["back"] == {"pictures": 40, "balanced_accuracy": 0.5}
    assert "unknown" not in slices["age"]  # one picture
    assert slices["age"]["40 to 59"]["pictures"] == 20
