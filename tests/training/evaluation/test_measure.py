"""The evaluation: metrics computed by hand, and intervals that treat pictures of one lesion as dependent."""

import numpy as np
import pandas as pd
import pytest

from contract.api import OperatingPoint
from contract.labels import CODES
from training.evaluation.calibration.logit_adjustment import remove_temperature
from training.evaluation.calibration.operating_points import apply_thresholds
from training.evaluation.measure import Evaluation, evaluate_predictions
from training.evaluation.metrics import Predictions, balanced_accuracy, expected_calibration_error
from training.evaluation.out_of_distribution import OutOfDistribution

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


def probabilities_of(codes: list[str], confidence: float = 0.8) -> np.ndarray:
    """Return probabilities of `confidence` for each code, and equal ones for the other classes."""
    probabilities = np.full((len(codes), 7), (1 - confidence) / 6)
    probabilities[np.arange(len(codes)), [CODES.index(code) for code in codes]] = confidence
    return probabilities


def predictions_of(probabilities: np.ndarray, temperature: float = 1.0) -> Predictions:
    return Predictions(
        probabilities=probabilities,
        before_temperature=remove_temperature(probabilities, temperature),
        reaches_threshold=apply_thresholds(probabilities, POINTS),
        unfamiliarity=np.linspace(0, 0.4, len(probabilities)),
        unfamiliar=np.zeros(len(probabilities), bool),
    )


def evaluated(truth: list[str], predicted: list[str], lesions: list[int] | None = None) -> Evaluation:
    return evaluate_predictions(predictions_of(probabilities_of(predicted)), rows_of(truth, lesions), seed=1)


def test_the_metrics_equal_those_computed_by_hand() -> None:
    truth = ["nv", "nv", "nv", "nv", "mel", "mel", "bcc", "df"]
    predicted = ["nv", "nv", "nv", "mel", "mel", "nv", "mel", "df"]
    values = {name: metric.value for name, metric in evaluated(truth, predicted).metrics.items()}
    assert values["balanced_accuracy"] == pytest.approx((3 / 4 + 1 / 2 + 0 + 1) / 4)
    assert values["accuracy"] == pytest.approx(5 / 8)
    assert values["macro_f1"] == pytest.approx((2 * 3 / 8 + 2 * 1 / 5 + 0 + 1) / 4)
    assert values["any_malignant_sensitivity"] == pytest.approx(2 / 3)
    assert values["any_malignant_specificity"] == pytest.approx(4 / 5)
    assert values["melanoma_sensitivity"] == pytest.approx(1 / 2)
    assert values["any_malignant_ppv"] == pytest.approx(2 / 3)
    assert values["any_malignant_npv"] == pytest.approx(4 / 5)
    assert values["melanoma_specificity"] == pytest.approx(4 / 6)
    assert values["weighted_f1"] == pytest.approx((4 * 3 / 4 + 2 * 2 / 5 + 0 + 1) / 8)
    assert values["always_nevus_accuracy"] == pytest.approx(4 / 8)
    assert values["ece"] == pytest.approx(0.8 - 5 / 8)
    assert values["nll"] == pytest.approx(-(5 * np.log(0.8) + 3 * np.log(0.2 / 6)) / 8)
    right, wrong = 0.2**2 + 6 * (0.2 / 6) ** 2, 0.8**2 + (1 - 0.2 / 6) ** 2 + 5 * (0.2 / 6) ** 2
    assert values["brier"] == pytest.approx((5 * right + 3 * wrong) / 8)
    assert values["unfamiliar_rate"] == 0


def test_balanced_accuracy_is_the_first_metric_and_accuracy_the_last() -> None:
    names = list(evaluated(["nv", "mel"], ["nv", "mel"]).metrics)
    assert names[0] == "balanced_accuracy"
    assert names[-1] == "accuracy"


def test_the_confusion_matrix_has_true_classes_in_rows_and_predicted_ones_in_columns() -> None:
    confusion = evaluated(["nv", "nv", "mel"], ["nv", "mel", "mel"]).confusion
    assert confusion[CODES.index("nv"), CODES.index("mel")] == 1
    assert confusion.sum() == 3


def test_the_calibration_error_is_the_mean_gap_over_the_bins() -> None:
    # Ten predictions with confidence 0.9, nine correct: no gap. Ten with 0.5, two correct: a gap of 0.3. Bins of 1/15.
    predicted = ["nv"] * 20
    probabilities = np.concatenate([probabilities_of(predicted[:10], 0.9), probabilities_of(predicted[10:], 0.5)])
    truth = np.array([CODES.index(code) for code in ["nv"] * 9 + ["df"] + ["nv"] * 2 + ["df"] * 8])
    assert expected_calibration_error(probabilities, truth) == pytest.approx(0.15)


def test_a_confidence_of_1_is_in_the_last_bin() -> None:
    assert expected_calibration_error(np.eye(7), np.arange(7)) == pytest.approx(0)


def test_a_class_without_pictures_is_left_out_of_the_balanced_accuracy() -> None:
    assert balanced_accuracy(np.array([5, 5, 4]), np.array([5, 5, 5])) == pytest.approx(2 / 3)


def test_repeated_pictures_of_the_same_lesions_do_not_narrow_the_interval() -> None:
    truth, predicted = ["nv"] * 10 + ["mel"] * 10, ["nv"] * 8 + ["mel"] * 8 + ["nv"] * 4
    once = evaluated(truth, predicted).metrics["accuracy"]
    five_times = evaluated(truth * 5, predicted * 5, list(range(20)) * 5).metrics["accuracy"]
    as_if_independent = evaluated(truth * 5, predicted * 5).metrics["accuracy"]
    assert (five_times.low, five_times.high) == pytest.approx((once.low, once.high))
    assert as_if_independent.high - as_if_independent.low < 0.7 * (once.high - once.low)


def test_the_same_seed_gives_the_same_interval() -> None:
    truth, predicted = ["nv"] * 9 + ["mel"] * 9, ["nv"] * 12 + ["mel"] * 6
    assert evaluated(truth, predicted).metrics == evaluated(truth, predicted).metrics


def test_metrics_that_cannot_be_measured_are_left_out() -> None:
    metrics = evaluated(["nv", "nv", "bcc"], ["nv", "nv", "bcc"]).metrics
    assert "melanoma_sensitivity" not in metrics
    assert metrics["any_malignant_sensitivity"].value == 1


def test_slices_contain_every_group_that_is_large_enough() -> None:
    truth = ["nv", "mel"] * 20
    slices = evaluated(truth, ["nv"] * 40).slices
    assert {name: of.metrics["balanced_accuracy"].value for name, of in slices["sex"].items()} == {
        "female": 1.0,
        "male": 0.0,
    }
    assert (slices["sex"]["male"].pictures, slices["sex"]["male"].lesions) == (20, 20)
    assert slices["sex"]["male"].metrics["melanoma_sensitivity"].value == 0
    assert "melanoma_sensitivity" not in slices["sex"]["female"].metrics
    both = slices["site"]["back"].metrics["balanced_accuracy"]
    assert (both.value, both.low, both.high) == (0.5, 0.5, 0.5)  # each resample holds both classes
    assert "unknown" not in slices["age"]  # one picture
    assert slices["age"]["40 to 59"].pictures == 20


def test_a_slice_has_the_interval_of_its_own_pictures() -> None:
    truth, predicted = ["nv", "mel"] * 40, ["nv", "nv", "nv", "mel"] * 20
    metric = evaluated(truth, predicted).slices["sex"]["male"].metrics["melanoma_sensitivity"]
    half_width = 1.96 * np.sqrt(0.5 * 0.5 / 40)
    assert (metric.low, metric.high) == pytest.approx((0.5 - half_width, 0.5 + half_width), abs=0.04)


def test_absent_columns_give_no_slices_and_a_note() -> None:
    truth = ["nv", "mel"] * 20
    found = evaluate_predictions(predictions_of(probabilities_of(truth)), rows_of(truth), seed=1, absent=("age", "sex"))
    assert set(found.slices) == {"site", "confirmed_by"}
    assert "The table has no age, sex: there are no groups by that." in found.left_out


def test_absent_classes_are_left_out_with_a_note() -> None:
    found = evaluated(["nv", "nv", "bcc"], ["nv", "nv", "bcc"])
    assert set(found.per_class) == {"bcc", "nv"}
    assert set(found.roc) == {"bcc", "nv", "any_malignant"}
    assert "There are no pictures of akiec, bkl, df, mel, vasc: averages are over the other classes." in found.left_out
    assert any("not enough to measure melanoma_sensitivity" in sentence for sentence in found.left_out)
    assert found.metrics["macro_auroc"].value == 1


def test_pictures_of_a_single_class_are_measured_where_possible() -> None:
    found = evaluated(["nv"] * 5, ["nv", "nv", "mel", "nv", "nv"])
    assert found.metrics["balanced_accuracy"].value == pytest.approx(4 / 5)
    assert "any_malignant_auroc" not in found.metrics
    assert found.roc == {}


def test_a_class_is_measured_against_all_other_classes() -> None:
    group = evaluated(["nv", "nv", "nv", "mel", "mel"], ["nv", "mel", "nv", "mel", "nv"]).per_class["nv"]
    assert (group.pictures, group.lesions) == (3, 3)
    assert group.metrics["precision"].value == pytest.approx(2 / 3)
    assert group.metrics["recall"].value == pytest.approx(2 / 3)
    assert group.metrics["auroc"].value == pytest.approx((2 * 0.5 + 1 * 0 + 2 * 1 + 1 * 0.5) / 6)


def test_a_class_that_is_never_predicted_has_no_precision_and_an_f1_of_zero() -> None:
    metrics = evaluated(["nv", "mel"], ["nv", "nv"]).per_class["mel"].metrics
    assert "precision" not in metrics
    assert metrics["f1"].value == 0


def test_calibration_is_measured_before_and_after_the_temperature() -> None:
    truth = ["nv"] * 8 + ["mel"] * 2
    probabilities = probabilities_of(["nv"] * 10, 0.8)  # calibrated: 8 of 10 are correct
    found = evaluate_predictions(predictions_of(probabilities, temperature=2.0), rows_of(truth), seed=1)
    assert found.metrics["ece"].value == pytest.approx(0)
    overconfident = remove_temperature(probabilities, 2.0)[0, CODES.index("nv")]
    assert found.metrics["ece_before_temperature"].value == pytest.approx(overconfident - 0.8)
    assert found.metrics["nll_before_temperature"].value > found.metrics["nll"].value
    assert found.reliability["before"][0]["confidence"] == pytest.approx(overconfident)
    assert found.reliability["after"][0] == {
        "confidence": pytest.approx(0.8),
        "accuracy": pytest.approx(0.8),
        "pictures": 10,
    }


def test_a_calibration_error_lies_in_its_own_interval() -> None:
    random = np.random.default_rng(0)
    truth = random.choice(["nv", "mel", "bcc"], 300).tolist()
    predicted = [code if random.random() < 0.8 else "df" for code in truth]
    error = evaluated(truth, predicted).metrics["ece"]
    assert error.low <= error.value <= error.high


def test_pictures_without_a_lesion_are_detected_by_their_unfamiliarity() -> None:
    kinds = {
        "far": OutOfDistribution(np.full(5, 0.9), np.ones(5, bool)),
        "near": OutOfDistribution(np.full(15, 0.2), np.zeros(15, bool)),
    }
    truth = ["nv", "mel", "nv", "bcc", "nv"]  # at 0, 0.1, 0.2, 0.3 and 0.4
    found = evaluate_predictions(
        predictions_of(probabilities_of(truth)), rows_of(truth), seed=1, out_of_distribution=kinds
    )
    assert {
        kind: (result.pictures, result.auroc.value, result.detection_rate.value)
        for kind, result in found.out_of_distribution.items()
    } == {
        "painted": (20, pytest.approx((5 * 1 + 15 * 0.5) / 20), pytest.approx(5 / 20)),
        "far": (5, 1.0, 1.0),
        "near": (15, 0.5, 0.0),
    }
    assert found.metrics["unfamiliar_auroc"] == found.out_of_distribution["painted"].auroc
    assert found.metrics["unfamiliar_detection_rate"] == found.out_of_distribution["painted"].detection_rate
    assert found.out_of_distribution["near"].auroc.low < 0.5 < found.out_of_distribution["near"].auroc.high
