"""What a model must hold to replace the one that serves: every gate, its number, and why."""

from dataclasses import dataclass
from typing import Final

from operations.comparison.paired_bootstrap import Changes
from operations.comparison.serving_cost import Cost

LOWEST_ACCURACY_CHANGE: Final = -0.02  # non-inferiority: 97.5% sure to lose no more than two lesions in a hundred
LOWEST_MELANOMA_CHANGE: Final = 0.0  # a missed melanoma is the dearest mistake: whoever accepts more says why
LOWEST_MALIGNANT_CHANGE: Final = -0.02  # the same for all malignant classes together, whose number is larger
LARGEST_ECE_RISE: Final = 0.01  # people read the probabilities: as large as int8 may cost
LARGEST_RATIO: Final = 1.25  # of time and size: what is slower or larger by more is felt in cold starts and on the bill
UNFELT_MS: Final = 5.0  # of a picture: below it a ratio of times says nothing to anybody


@dataclass(frozen=True)
class Ruling:
    """One gate, and what came of it."""

    gate: str
    passed: bool
    sentence: str  # the numbers, and the limit


def judge(changes: Changes, challenger: Cost, champion: Cost) -> list[Ruling]:
    """Hold a challenger against every gate; what cannot be measured does not pass."""
    return [
        _accuracy(changes),
        _at_least(changes, "melanoma sensitivity", "melanoma_sensitivity", LOWEST_MELANOMA_CHANGE),
        _at_least(changes, "malignant sensitivity", "any_malignant_sensitivity", LOWEST_MALIGNANT_CHANGE),
        _calibration(changes),
        _time(challenger, champion),
        _size(challenger, champion),
    ]


def _accuracy(changes: Changes) -> Ruling:
    gate = "balanced accuracy"
    if (of := changes.metrics.get("balanced_accuracy")) is None:
        return _unmeasured(gate)
    low = of.change.low
    sentence = f"the change is surely above {low:+.3f} (97.5%), and must be above {LOWEST_ACCURACY_CHANGE:+.3f}"
    return Ruling(gate, low > LOWEST_ACCURACY_CHANGE, sentence)


def _at_least(changes: Changes, gate: str, metric: str, lowest: float) -> Ruling:
    if (of := changes.metrics.get(metric)) is None:
        return _unmeasured(gate)
    change = of.change.value
    return Ruling(gate, change >= lowest - 1e-9, f"changes by {change:+.3f}, and may by {lowest:+.3f} at the lowest")


def _calibration(changes: Changes) -> Ruling:
    gate = "calibration"
    if (of := changes.metrics.get("ece")) is None:
        return _unmeasured(gate)
    rise = of.change.value
    sentence = f"the expected error changes by {rise:+.3f}, and may by {LARGEST_ECE_RISE:+.3f} at most"
    return Ruling(gate, rise <= LARGEST_ECE_RISE + 1e-9, sentence)


def _time(challenger: Cost, champion: Cost) -> Ruling:
    ratio = challenger.picture_ms / max(champion.picture_ms, 1e-6)
    unfelt = challenger.picture_ms - champion.picture_ms < UNFELT_MS
    sentence = f"{challenger.picture_ms:.1f} ms of processor time for a picture after {champion.picture_ms:.1f} ms"
    return Ruling("time", ratio <= LARGEST_RATIO or unfelt, f"{sentence}, and {LARGEST_RATIO:g} times that may be")


def _size(challenger: Cost, champion: Cost) -> Ruling:
    ratio = challenger.model_mb / max(champion.model_mb, 1e-6)
    sentence = f"{challenger.model_mb:.3g} MB after {champion.model_mb:.3g} MB, and {LARGEST_RATIO:g} times that may be"
    return Ruling("size", ratio <= LARGEST_RATIO, sentence)


def _unmeasured(gate: str) -> Ruling:
    return Ruling(gate, False, "cannot be measured on these pictures")
