"""Each measure for many weightings of the same pictures at once, as a bootstrap asks for them.

`weights` always has the shape (R, N), a row for each weighting of N pictures. What cannot be measured is NaN. The tests
hold every one of these against scikit-learn, which takes one weighting at a time.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from contract.labels import CODES

CALIBRATION_BINS: Final = 15  # of equal width


def confusion_matrices(predicted: np.ndarray, truth: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Count, for each row of weights, pictures of class i taken for class j: shape (R, 7, 7)."""
    cells = np.eye(len(CODES) ** 2)[truth * len(CODES) + predicted]
    return np.asarray((weights @ cells).reshape(len(weights), len(CODES), len(CODES)))


def recalls(confusion: np.ndarray) -> np.ndarray:
    """Tell the share of each class that was recognised: shape (R, 7)."""
    return divide(_hits(confusion), confusion.sum(axis=2))


def precisions(confusion: np.ndarray) -> np.ndarray:
    """Tell the share of the answers of each class that are right: shape (R, 7); NaN for one that was never answered."""
    return divide(_hits(confusion), confusion.sum(axis=1))


def f1_scores(confusion: np.ndarray) -> np.ndarray:
    """Tell the harmonic mean of each class's precision and recall: shape (R, 7)."""
    return divide(2 * _hits(confusion), confusion.sum(axis=1) + confusion.sum(axis=2))


def balanced_accuracies(confusion: np.ndarray) -> np.ndarray:
    """Average the recalls of the classes that occur: shape (R,)."""
    return mean_over_classes(recalls(confusion))


def macro_f1(confusion: np.ndarray) -> np.ndarray:
    """Average F1 over the classes that occur or were answered: shape (R,)."""
    return mean_over_classes(f1_scores(confusion))


def weighted_f1(confusion: np.ndarray) -> np.ndarray:
    """Average F1 over the pictures, each with its class's: shape (R,)."""
    pictures = confusion.sum(axis=2)
    return divide((np.nan_to_num(f1_scores(confusion)) * pictures).sum(axis=1), pictures.sum(axis=1))


def roc_areas(scores: np.ndarray, positive: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Measure the area under the ROC curve: shape (R,).

    It is the chance that a positive scores higher than a negative, ties counting half (Hanley and McNeil 1982,
    doi:10.1148/radiology.143.1.7063747).
    """
    hits, alarms = _ranked(scores, positive, weights)
    before = np.concatenate([np.zeros((len(hits), 1)), hits[:, :-1]], axis=1)
    area = (np.diff(alarms, axis=1, prepend=0) * (hits + before) / 2).sum(axis=1)
    return divide(area, hits[:, -1] * alarms[:, -1])


def average_precisions(scores: np.ndarray, positive: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Average the precision over the recalls that are reached, without interpolation: shape (R,).

    As scikit-learn has it; interpolating between points of the curve flatters (Davis and Goadrich, ICML 2006).
    """
    hits, alarms = _ranked(scores, positive, weights)
    precision = np.nan_to_num(divide(hits, hits + alarms))
    return divide((np.diff(hits, axis=1, prepend=0) * precision).sum(axis=1), hits[:, -1])


def calibration_errors(probabilities: np.ndarray, truth: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Measure how far confidence is from accuracy, on average over CALIBRATION_BINS (Naeini et al., AAAI 2015)."""
    confidence, correct, bin_of = confidence_bins(probabilities, truth)
    gaps = (correct - confidence)[:, None] * np.eye(CALIBRATION_BINS)[bin_of]
    return np.asarray(np.abs(weights @ gaps).sum(axis=1) / weights.sum(axis=1))


def confidence_bins(probabilities: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Tell of each picture the confidence, whether the answer is right (1.0 or 0.0), and the bin of the confidence."""
    confidence = probabilities.max(axis=1).astype(float)
    correct = (probabilities.argmax(axis=1) == truth).astype(float)
    return confidence, correct, np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)


@dataclass(frozen=True, eq=False)
class Share:
    """What share of some pictures are also others: `of` those `among`, both bool, shape (N,)."""

    of: np.ndarray
    among: np.ndarray

    def __call__(self, weights: np.ndarray) -> np.ndarray:
        """Measure it: shape (R,)."""
        return divide(weights @ (self.of & self.among), weights @ self.among)

    def within(self, group: np.ndarray) -> "Share":
        """Measure it on some of the pictures: bool, shape (N,)."""
        return Share(self.of, self.among & group)


def means(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Average a number that each picture has: shape (R,)."""
    return divide(weights @ values, weights.sum(axis=1))


def mean_over_classes(values: np.ndarray) -> np.ndarray:
    """Average over the classes for which there is a value: (R, classes) -> (R,)."""
    counted = np.isfinite(values)
    return divide(np.where(counted, values, 0).sum(axis=1), counted.sum(axis=1))


def divide(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Divide; nothing over nothing is NaN, which the averages leave out."""
    return np.asarray(np.where(denominator > 0, numerator / np.maximum(denominator, 1e-12), np.nan))


def _hits(confusion: np.ndarray) -> np.ndarray:
    return np.asarray(np.einsum("rii->ri", confusion))


def _ranked(scores: np.ndarray, positive: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Add up positives and negatives from the highest score down, read where a score ends: shape (R, scores)."""
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    ranked, is_positive = weights[:, order], positive[order]
    hits = np.cumsum(ranked * is_positive, axis=1)[:, ends]
    alarms = np.cumsum(ranked * ~is_positive, axis=1)[:, ends]
    return hits, alarms
