"""The curves of an evaluation: at every threshold, what is found and what that costs; and confidence against truth."""

from typing import Final

import numpy as np
from sklearn import metrics

from training.evaluation.weighted_metrics import confidence_bins

Curve = dict[str, list[float]]  # two columns of numbers by their names

DIGITS: Final = 5  # of a point: more is not seen, and every point is written down


def roc_curve(scores: np.ndarray, positive: np.ndarray) -> Curve:
    """Hold sensitivity against the rate of false alarms; both classes must occur."""
    false_alarms, found, _ = metrics.roc_curve(positive, scores)
    return {"false_positive_rate": _rounded(false_alarms), "true_positive_rate": _rounded(found)}


def precision_recall_curve(scores: np.ndarray, positive: np.ndarray) -> Curve:
    """Hold precision against recall, from the lowest threshold up; some must be positive."""
    precision, recall, _ = metrics.precision_recall_curve(positive, scores, drop_intermediate=True)
    return {"recall": _rounded(recall), "precision": _rounded(precision)}


def reliability(probabilities: np.ndarray, truth: np.ndarray) -> list[dict[str, float]]:
    """Hold confidence against accuracy in each filled bin (Niculescu-Mizil and Caruana, ICML 2005)."""
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
