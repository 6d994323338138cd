"""What the model is worth on lesions that it never saw: metrics with intervals, and where it differs between people.

Lesions are very unequally common (two thirds are nevi), so accuracy says little, and balanced accuracy leads. Pictures
of one lesion are no independent evidence, so the intervals come from a bootstrap over lesions (Field and Welsh 2007,
doi:10.1111/j.1467-9868.2007.00593.x).
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from contract.api import Metric, OperatingPoint
from contract.bundle import ANY_MALIGNANT
from contract.labels import CODES
from training.evaluation.calibrate import MELANOMA, score, shows

HEADLINE: Final = (
    "balanced_accuracy",
    f"{ANY_MALIGNANT}_sensitivity",
    f"{ANY_MALIGNANT}_specificity",
    "melanoma_sensitivity",
)
RESAMPLES: Final = 2000
CALIBRATION_BINS: Final = 15  # of equal width
AGE_BANDS: Final = ((0, 40), (40, 60), (60, 200))  # years, upper end excluded
SMALLEST_SLICE: Final = 20  # pictures; below it a share says nothing

Measure = Callable[[np.ndarray], np.ndarray]  # weights of the pictures, shape (R, N) -> a value for each row


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What came out on held-out lesions."""

    metrics: dict[str, Metric]  # those that these pictures allow: no melanoma, no sensitivity to melanoma
    confusion: np.ndarray  # int, shape (7, 7): pictures of row's class that were taken for column's
    reliability: list[dict[str, float]]  # for each filled bin: mean confidence, accuracy and pictures
    slices: dict[str, dict[str, dict[str, float]]]  # by what -> which -> pictures and balanced accuracy


def evaluate(
    probabilities: np.ndarray,
    unfamiliar: np.ndarray,
    rows: pd.DataFrame,
    operating_points: Mapping[str, OperatingPoint],
    seed: int,
) -> Evaluation:
    """Measure everything on held-out pictures.

    Args:
        probabilities: of the pictures, shape (N, 7).
        unfamiliar: which of them were taken to be unlike the training pictures: bool, shape (N,).
        rows: of the pictures, with the columns of `training.data.ham10000.Dataset.rows`.
        operating_points: as chosen on validation lesions.
        seed: of the bootstrap.
    """
    truth = rows["class_index"].to_numpy()
    measures = _measures(probabilities, unfamiliar, truth, operating_points)
    weights = resample_lesions(rows["lesion_id"].to_numpy(), RESAMPLES, seed)
    predicted = probabilities.argmax(axis=1)
    metrics = {name: with_interval(measure, weights) for name, measure in measures.items()}
    return Evaluation(
        metrics={name: metric for name, metric in metrics.items() if metric is not None},
        confusion=confusion_matrices(predicted, truth, np.ones((1, len(truth))))[0].astype(int),
        reliability=reliability(probabilities, truth),
        slices={name: _slice(predicted, truth, by) for name, by in _groups(rows).items()},
    )


def resample_lesions(lesion_id: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """Draw as many lesions as there are, with replacement, again and again.

    Returns:
        how often each picture's lesion was drawn, shape (resamples, N): pictures of one lesion come and go together.
    """
    _, lesion = np.unique(lesion_id, return_inverse=True)
    lesions = int(lesion.max()) + 1
    drawn = np.random.default_rng(seed).multinomial(lesions, np.full(lesions, 1 / lesions), size=resamples)
    return np.asarray(drawn[:, lesion])


def with_interval(measure: Measure, weights: np.ndarray) -> Metric | None:
    """Measure once on the pictures as they are, and take the 95% interval from the resamples; None if it cannot be."""
    value = float(measure(np.ones((1, weights.shape[1])))[0])
    if not math.isfinite(value):
        return None
    resampled = measure(weights)
    # A resample may lack the pictures that the measure is about; the lesions as they are have some, so most do not.
    low, high = np.nanpercentile(resampled, (2.5, 97.5))
    return Metric(value=value, low=float(low), high=float(high))


def confusion_matrices(predicted: np.ndarray, truth: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Count, for each row of weights, pictures of class i taken for class j: shape (R, 7, 7)."""
    cells = np.eye(len(CODES) ** 2)[truth * len(CODES) + predicted]
    return np.asarray((weights @ cells).reshape(len(weights), len(CODES), len(CODES)))


def balanced_accuracy(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Average the classes' recalls; a class without pictures is left out."""
    return float(_balanced_accuracies(confusion_matrices(predicted, truth, np.ones((1, len(truth)))))[0])


def expected_calibration_error(probabilities: np.ndarray, truth: np.ndarray) -> float:
    """Measure how far confidence is from accuracy, on average (Naeini et al. 2015), in CALIBRATION_BINS equal bins."""
    return float(_calibration_errors(probabilities, truth, np.ones((1, len(truth))))[0])


def reliability(probabilities: np.ndarray, truth: np.ndarray) -> list[dict[str, float]]:
    """Hold confidence against accuracy in each filled bin, for the diagram of that name."""
    confidence, correct, bin_of = _confidence(probabilities, truth)
    return [
        {
            "confidence": float(confidence[bin_of == number].mean()),
            "accuracy": float(correct[bin_of == number].mean()),
            "pictures": int((bin_of == number).sum()),
        }
        for number in np.unique(bin_of)
    ]


def _measures(
    probabilities: np.ndarray, unfamiliar: np.ndarray, truth: np.ndarray, points: Mapping[str, OperatingPoint]
) -> dict[str, Measure]:
    """Name everything that is measured; each takes weights of the pictures."""
    predicted = probabilities.argmax(axis=1)

    def confusion(weights: np.ndarray) -> np.ndarray:
        return confusion_matrices(predicted, truth, weights)

    def share(of: np.ndarray, among: np.ndarray) -> Measure:
        return lambda weights: _divide(weights @ (of & among), weights @ among)

    malignant = points[ANY_MALIGNANT]
    suspected = score(probabilities, malignant.classes) >= malignant.threshold
    is_malignant = shows(truth, malignant.classes)
    melanoma = points[MELANOMA]
    return {
        "balanced_accuracy": lambda weights: _balanced_accuracies(confusion(weights)),
        f"{ANY_MALIGNANT}_sensitivity": share(suspected, is_malignant),
        f"{ANY_MALIGNANT}_specificity": share(~suspected, ~is_malignant),
        "melanoma_sensitivity": share(
            score(probabilities, melanoma.classes) >= melanoma.threshold, shows(truth, melanoma.classes)
        ),
        "macro_f1": lambda weights: _macro_f1(confusion(weights)),
        "ece": lambda weights: _calibration_errors(probabilities, truth, weights),
        "unfamiliar_rate": share(unfamiliar, np.ones(len(truth), bool)),
        "accuracy": share(predicted == truth, np.ones(len(truth), bool)),
    }


def _balanced_accuracies(confusion: np.ndarray) -> np.ndarray:
    return _mean_over_classes(_divide(np.einsum("rii->ri", confusion), confusion.sum(axis=2)))


def _macro_f1(confusion: np.ndarray) -> np.ndarray:
    """Average F1 over the classes that occur or were answered."""
    hits = np.einsum("rii->ri", confusion)
    return _mean_over_classes(_divide(2 * hits, confusion.sum(axis=1) + confusion.sum(axis=2)))


def _calibration_errors(probabilities: np.ndarray, truth: np.ndarray, weights: np.ndarray) -> np.ndarray:
    confidence, correct, bin_of = _confidence(probabilities, truth)
    gaps = (correct - confidence)[:, None] * np.eye(CALIBRATION_BINS)[bin_of]
    return np.asarray(np.abs(weights @ gaps).sum(axis=1) / weights.sum(axis=1))


def _confidence(probabilities: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    confidence = probabilities.max(axis=1).astype(float)
    correct = (probabilities.argmax(axis=1) == truth).astype(float)
    return confidence, correct, np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)


def _divide(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Divide; nothing over nothing is NaN, which the averages leave out."""
    return np.asarray(np.where(denominator > 0, numerator / np.maximum(denominator, 1e-12), np.nan))


def _mean_over_classes(values: np.ndarray) -> np.ndarray:
    counted = np.isfinite(values)
    return _divide(np.where(counted, values, 0).sum(axis=1), counted.sum(axis=1))


def _groups(rows: pd.DataFrame) -> dict[str, pd.Series]:
    ages = pd.Series("unknown", index=rows.index, dtype=object)
    for low, high in AGE_BANDS:
        ages[rows["age"].between(low, high, inclusive="left")] = (
            f"{low} to {high - 1}" if high < 200 else f"{low} and over"
        )
    return {"sex": rows["sex"], "age": ages, "site": rows["localization"], "confirmed_by": rows["dx_type"]}


def _slice(predicted: np.ndarray, truth: np.ndarray, by: pd.Series) -> dict[str, dict[str, float]]:
    """Measure each group of at least SMALLEST_SLICE pictures on its own."""
    slices = {}
    for which in sorted(by.unique()):
        among = (by == which).to_numpy()
        if among.sum() >= SMALLEST_SLICE:
            slices[str(which)] = {
                "pictures": int(among.sum()),
                "balanced_accuracy": balanced_accuracy(predicted[among], truth[among]),
            }
    return slices
