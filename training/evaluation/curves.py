"""The curves of an evaluation: ROC, precision-recall and reliability."""

from typing import Final

import numpy as np
from sklearn import metrics

from training.evaluation.weighted_metrics import confidence_bins

Curve = dict[str, list[float]]  # two columns of numbers, by name

DIGITS: Final = 5  # of a coordinate: enough for a figure, and every point goes into a JSON file


def roc_curve(scores: np.ndarray, positive: np.ndarray) -> Curve:
    """Return the ROC curve; there must be positives and negatives."""
    false_positive_rate, true_positive_rate, _ = metrics.roc_curve(positive, scores)
    return {"false_positive_rate": _rounded(false_positive_rate), "true_positive_rate": _rounded(true_positive_rate)}


def precision_recall_curve(scores: np.ndarray, positive: np.ndarray) -> Curve:
    """Return the precision-recall curve, from the lowest threshold up; there must be positives."""
    precision, recall, _ = metrics.precision_recall_curve(positive, scores, drop_intermediate=True)
    return {"recall": _rounded(recall), "precision": _rounded(precision)}


def reliability_bins(probabilities: np.ndarray, truth: np.ndarray) -> list[dict[str, float]]:
    """Return mean confidence and accuracy of each bin that has pictures (Niculescu-Mizil and Caruana, ICML 2005)."""
    confidence, correct, bin_of = confidence_bins(probabilities, truth)
    return [
        {
            "confidence": float(confidence[bin_of == number].mean()),
            "accuracy": float(correct[bin_of == number].mean()),
            "pictures": int((bin_of == number).sum()),
        }
        for number in np.unique(bin_of)
    ]


def _rounded(values: np.ndarray) -> list[float]:
    return [round(float(value), DIGITS) for value in values]
