"""Classification metrics for many weightings of the same pictures at once, as a bootstrap needs them.

`weights` always has the shape (R, N): a row for each weighting of N pictures. A metric that cannot be measured is NaN.
The tests compare each function with scikit-learn, which takes one weighting at a time and is too slow for a bootstrap.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from contract.labels import CODES

CALIBRATION_BINS: Final = 15  # of equal width


def confusion_matrices(predicted: np.ndarray, truth: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Count the pictures of class i (row) that were predicted as class j (column): shape (R, 7, 7)."""
    cells = np.eye(len(CODES) ** 2)[truth * len(CODES) + predicted]
    return np.asarray((weights @ cells).reshape(len(weights), len(CODES), len(CODES)))


def recalls(confusion: np.ndarray) -> np.ndarray:
    """Return the recall of each class: shape (R, 7)."""
    return divide(_true_positives(confusion), confusion.sum(axis=2))


def precisions(confusion: np.ndarray) -> np.ndarray:
    """Return the precision of each class: shape (R, 7); NaN for a class that was never predicted."""
    return divide(_true_positives(confusion), confusion.sum(axis=1))


def f1_scores(confusion: np.ndarray) -> np.ndarray:
    """Return the F1 score of each class: shape (R, 7)."""
    return divide(2 * _true_positives(confusion), confusion.sum(axis=1) + confusion.sum(axis=2))


def balanced_accuracies(confusion: np.ndarray) -> np.ndarray:
    """Average the recall over the classes that occur: shape (R,)."""
    return mean_over_classes(recalls(confusion))


def macro_f1(confusion: np.ndarray) -> np.ndarray:
    """Average F1 over the classes that occur or were predicted: shape (R,)."""
    return mean_over_classes(f1_scores(confusion))


def weighted_f1(confusion: np.ndarray) -> np.ndarray:
    """Average F1 over the classes, each weighted by its number of pictures: shape (R,)."""
    pictures = confusion.sum(axis=2)
    return divide((np.nan_to_num(f1_scores(confusion)) * pictures).sum(axis=1), pictures.sum(axis=1))


def roc_areas(scores: np.ndarray, positive: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Measure the area under the ROC curve: shape (R,).

    It is the probability that a positive scores higher than a negative, where ties count half (Hanley and McNeil 1982,
    doi:10.1148/radiology.143.1.7063747).
    """
    true_positives, false_positives = _cumulative_counts(scores, positive, weights)
    before = np.concatenate([np.zeros((len(true_positives), 1)), true_positives[:, :-1]], axis=1)
    area = (np.diff(false_positives, axis=1, prepend=0) * (true_positives + before) / 2).sum(axis=1)
    return divide(area, true_positives[:, -1] * false_positives[:, -1])


def average_precisions(scores: np.ndarray, positive: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Measure the average precision without interpolation: shape (R,).

    scikit-learn defines it in the same way; interpolation between points of the curve is too optimistic (Davis and
    Goadrich, ICML 2006).
    """
    true_positives, false_positives = _cumulative_counts(scores, positive, weights)
    precision = np.nan_to_num(divide(true_positives, true_positives + false_positives))
    return divide((np.diff(true_positives, axis=1, prepend=0) * precision).sum(axis=1), true_positives[:, -1])


def calibration_errors(probabilities: np.ndarray, truth: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Measure the expected calibration error in CALIBRATION_BINS bins (Naeini et al., AAAI 2015): shape (R,)."""
    confidence, correct, bin_of = confidence_bins(probabilities, truth)
    gaps = (correct - confidence)[:, None] * np.eye(CALIBRATION_BINS)[bin_of]
    return np.asarray(np.abs(weights @ gaps).sum(axis=1) / weights.sum(axis=1))


def confidence_bins(probabilities: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return for each picture the confidence, whether the prediction is correct (1.0 or 0.0), and the bin number."""
    confidence = probabilities.max(axis=1).astype(float)
    correct = (probabilities.argmax(axis=1) == truth).astype(float)
    return confidence, correct, np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)


@dataclass(frozen=True, eq=False)
class Proportion:
    """The proportion of `event` pictures among the `among` pictures; both are bool, shape (N,)."""

    event: np.ndarray
    among: np.ndarray

    def __call__(self, weights: np.ndarray) -> np.ndarray:
        """Measure it: shape (R,)."""
        return divide(weights @ (self.event & self.among), weights @ self.among)

    def within(self, group: np.ndarray) -> "Proportion":
        """Restrict it to a group of pictures: bool, shape (N,)."""
        return Proportion(self.event, self.among & group)


def means(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Average a number that each picture has: shape (R,)."""
    return divide(weights @ values, weights.sum(axis=1))


def mean_over_classes(values: np.ndarray) -> np.ndarray:
    """Average over the classes that have a value: (R, classes) -> (R,)."""
    counted = np.isfinite(values)
    return divide(np.where(counted, values, 0).sum(axis=1), counted.sum(axis=1))


def divide(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Divide; 0 / 0 gives NaN, which the averages leave out."""
    return np.asarray(np.where(denominator > 0, numerator / np.maximum(denominator, 1e-12), np.nan))


def _true_positives(confusion: np.ndarray) -> np.ndarray:
    return np.asarray(np.einsum("rii->ri", confusion))


def _cumulative_counts(scores: np.ndarray, positive: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Count true and false positives for each distinct score as the threshold, from the highest: (R, thresholds)."""
    order = np.argsort(-scores, kind="stable")
    last_of_score = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    sorted_weights, is_positive = weights[:, order], positive[order]
    true_positives = np.cumsum(sorted_weights * is_positive, axis=1)[:, last_of_score]
    false_positives = np.cumsum(sorted_weights * ~is_positive, axis=1)[:, last_of_score]
    return true_positives, false_positives
