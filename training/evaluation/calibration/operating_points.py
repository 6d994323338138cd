"""The yes-or-no decisions: which probabilities each adds up, and the threshold chosen on validation lesions."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from contract.api import OperatingPoint
from contract.bundle import ANY_MALIGNANT
from contract.errors import TrainingError
from contract.labels import CODES, MALIGNANT_CODES

MELANOMA: Final = "melanoma"
OPERATING_POINTS: Final = {ANY_MALIGNANT: MALIGNANT_CODES, MELANOMA: ("mel",)}  # name -> classes that it adds up
# Name -> groups of classes that must each reach the sensitivity. Melanoma also counts separately: missing it is worst.
SENSITIVITY_GROUPS: Final = {ANY_MALIGNANT: (MALIGNANT_CODES, ("mel",)), MELANOMA: (("mel",),)}
TARGET_SENSITIVITY: Final = 0.90  # on new lesions; on validation lesions one standard error more


def sum_probabilities(probabilities: np.ndarray, codes: Sequence[str]) -> np.ndarray:
    """Add up the probabilities of some classes: shape (N, 7) -> (N,)."""
    return np.asarray(probabilities[:, [CODES.index(code) for code in codes]].sum(axis=1))


def has_class(class_index: np.ndarray, codes: Sequence[str]) -> np.ndarray:
    """Return which pictures show one of some classes: bool, shape (N,)."""
    return np.isin(class_index, [CODES.index(code) for code in codes])


def apply_thresholds(probabilities: np.ndarray, points: Mapping[str, OperatingPoint]) -> dict[str, np.ndarray]:
    """Return for each operating point which pictures reach its threshold: bool, shape (N,)."""
    return {name: sum_probabilities(probabilities, point.classes) >= point.threshold for name, point in points.items()}


def choose_operating_points(probabilities: np.ndarray, class_index: np.ndarray) -> dict[str, OperatingPoint]:
    """Choose for each decision the most specific threshold with enough sensitivity in all of its SENSITIVITY_GROUPS.

    Each threshold reaches TARGET_SENSITIVITY plus one standard error on the validation lesions: without the standard
    error, half of the thresholds would miss the target on new lesions. In a group of a few pictures the standard error
    is so large that all of them must be found.

    Args:
        probabilities: of validation pictures, shape (N, 7).
        class_index: of these pictures.

    Raises:
        TrainingError: the validation pictures do not have pictures both with and without the classes of a decision.
    """
    return {
        name: _choose(name, codes, sum_probabilities(probabilities, codes), class_index)
        for name, codes in OPERATING_POINTS.items()
    }


def _choose(name: str, codes: Sequence[str], scores: np.ndarray, class_index: np.ndarray) -> OperatingPoint:
    positive = has_class(class_index, codes)
    if positive.all() or not positive.any():
        raise TrainingError(
            f"The operating point {name} cannot be chosen: the validation lesions must include pictures with and "
            f"without {', '.join(codes)}. Train on more pictures."
        )
    # A higher threshold is more specific, so the threshold is as high as the sensitivity allows. It is halfway to
    # the next lower score, so that rounding a probability moves no picture across it.
    groups = [has_class(class_index, group) for group in SENSITIVITY_GROUPS[name]]
    lowest_found = min(_lowest_found(scores[group]) for group in groups if group.any())
    below = scores[scores < lowest_found]
    threshold = float(lowest_found + (below.max() if len(below) else 0.0)) / 2
    return OperatingPoint(
        threshold=min(threshold, 1.0),
        sensitivity=float(np.mean(scores[positive] >= threshold)),
        specificity=float(np.mean(scores[~positive] < threshold)),
        classes=list(codes),
    )


def _lowest_found(scores: np.ndarray) -> float:
    """Return the lowest score that must be over the threshold, for a group's scores."""
    standard_error = (TARGET_SENSITIVITY * (1 - TARGET_SENSITIVITY) / len(scores)) ** 0.5
    found = int(np.ceil(min(TARGET_SENSITIVITY + standard_error, 1.0) * len(scores)))
    return float(np.sort(scores)[::-1][found - 1])
