"""The metrics of a model's predictions, each as a function of the weights of the pictures.

Two thirds of the lesions are nevi, so accuracy is not informative, and balanced accuracy comes first.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from contract.bundle import ANY_MALIGNANT
from contract.labels import CODES
from training.evaluation.bootstrap import Measure
from training.evaluation.calibration.operating_points import OPERATING_POINTS, has_class, sum_probabilities
from training.evaluation.weighted_metrics import (
    Proportion,
    average_precisions,
    balanced_accuracies,
    calibration_errors,
    confusion_matrices,
    f1_scores,
    macro_f1,
    mean_over_classes,
    means,
    roc_areas,
    weighted_f1,
)

HEADLINE: Final = (
    "balanced_accuracy",
    f"{ANY_MALIGNANT}_sensitivity",
    f"{ANY_MALIGNANT}_specificity",
    "melanoma_sensitivity",
)


@dataclass(frozen=True, eq=False)
class Predictions:
    """The predictions of a model for labelled pictures, with thresholds that were chosen on other pictures."""

    probabilities: np.ndarray  # shape (N, 7)
    before_temperature: np.ndarray  # the same without the temperature
    reaches_threshold: Mapping[str, np.ndarray]  # operating point -> which pictures do: bool, shape (N,)
    unfamiliarity: np.ndarray | None = None  # score of each picture, shape (N,)
    unfamiliar: np.ndarray | None = None  # whether the score is over the threshold


def measure_once(predictions: Predictions, truth: np.ndarray) -> dict[str, float]:
    """Measure every metric without an interval; NaN if it cannot be measured.

    Args:
        predictions: for some pictures.
        truth: the class index of each.
    """
    return {name: float(measure(_equal_weights(truth))[0]) for name, measure in metrics_of(predictions, truth).items()}


def balanced_accuracy(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Average the recall over the classes that occur."""
    return float(balanced_accuracies(confusion_matrices(predicted, truth, _equal_weights(truth)))[0])


def expected_calibration_error(probabilities: np.ndarray, truth: np.ndarray) -> float:
    """Measure the expected calibration error in bins of equal width (Naeini et al., AAAI 2015)."""
    return float(calibration_errors(probabilities, truth, _equal_weights(truth))[0])


def metrics_of(predictions: Predictions, truth: np.ndarray) -> dict[str, Measure]:
    """Name every metric over all classes, in the order of the report."""
    probabilities, before = predictions.probabilities, predictions.before_temperature
    predicted = probabilities.argmax(axis=1)
    all_pictures = np.ones(len(truth), bool)
    measures: dict[str, Measure] = {"balanced_accuracy": lambda weights: balanced_accuracies(confusion(weights))}

    def confusion(weights: np.ndarray) -> np.ndarray:
        return confusion_matrices(predicted, truth, weights)

    def over_classes(measure: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]) -> Measure:
        each = [(probabilities[:, index], truth == index) for index in range(len(CODES))]
        return lambda weights: mean_over_classes(np.stack([measure(*one, weights) for one in each], axis=1))

    for name, codes in OPERATING_POINTS.items():
        scores = sum_probabilities(probabilities, codes)
        measures |= _decision_metrics(name, scores, predictions.reaches_threshold.get(name), has_class(truth, codes))
    if ANY_MALIGNANT in predictions.reaches_threshold:
        melanoma = has_class(truth, ("mel",))
        measures[f"{ANY_MALIGNANT}_melanoma_sensitivity"] = Proportion(
            predictions.reaches_threshold[ANY_MALIGNANT], melanoma
        )
    measures |= {
        "macro_f1": lambda weights: macro_f1(confusion(weights)),
        "weighted_f1": lambda weights: weighted_f1(confusion(weights)),
        "macro_auroc": over_classes(roc_areas),
        "macro_average_precision": over_classes(average_precisions),
        "ece": lambda weights: calibration_errors(probabilities, truth, weights),
        "ece_before_temperature": lambda weights: calibration_errors(before, truth, weights),
        "nll": lambda weights: means(_log_losses(probabilities, truth), weights),
        "nll_before_temperature": lambda weights: means(_log_losses(before, truth), weights),
        "brier": lambda weights: means(_brier_scores(probabilities, truth), weights),
    }
    if predictions.unfamiliar is not None:
        measures["unfamiliar_rate"] = Proportion(predictions.unfamiliar, all_pictures)
    measures["always_nevus_accuracy"] = Proportion(truth == CODES.index("nv"), all_pictures)
    measures["accuracy"] = Proportion(predicted == truth, all_pictures)
    return measures


def class_metrics_of(index: int, predictions: Predictions, truth: np.ndarray) -> dict[str, Measure]:
    """Name every metric of one class against the rest."""
    scores, positive = predictions.probabilities[:, index], truth == index
    predicted = predictions.probabilities.argmax(axis=1)
    return {
        "precision": Proportion(positive, predicted == index),
        "recall": Proportion(predicted == index, positive),
        "f1": lambda weights: f1_scores(confusion_matrices(predicted, truth, weights))[:, index],
        "auroc": lambda weights: roc_areas(scores, positive, weights),
        "average_precision": lambda weights: average_precisions(scores, positive, weights),
    }


def within(measure: Measure, among: np.ndarray) -> Measure:
    """Restrict a metric to a group of pictures (bool, shape (N,)): the others get the weight 0."""
    if isinstance(measure, Proportion):
        return measure.within(among)
    return lambda weights: measure(weights * among)


def _decision_metrics(
    name: str, scores: np.ndarray, over: np.ndarray | None, positive: np.ndarray
) -> dict[str, Measure]:
    """Name the metrics of one operating point; PPV and NPV depend on the class frequencies of these pictures."""
    auroc: dict[str, Measure] = {f"{name}_auroc": lambda weights: roc_areas(scores, positive, weights)}
    if over is None:
        return auroc
    return {
        f"{name}_sensitivity": Proportion(over, positive),
        f"{name}_specificity": Proportion(~over, ~positive),
        f"{name}_ppv": Proportion(positive, over),
        f"{name}_npv": Proportion(~positive, ~over),
        **auroc,
    }


def _log_losses(probabilities: np.ndarray, truth: np.ndarray) -> np.ndarray:
    true_probability = probabilities[np.arange(len(truth)), truth].astype(float)
    return np.asarray(-np.log(np.maximum(true_probability, np.finfo(np.float32).tiny)))


def _brier_scores(probabilities: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return the summed squared error of the seven probabilities, 0 to 2 (Brier, Monthly Weather Review 78, 1950)."""
    return np.asarray(((probabilities - np.eye(len(CODES))[truth]) ** 2).sum(axis=1))


def _equal_weights(truth: np.ndarray) -> np.ndarray:
    return np.ones((1, len(truth)))  # one row of weights, in which every picture counts once
