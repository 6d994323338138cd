"""The gates that a model must pass to replace the one that serves: each has a limit and its reason."""

from dataclasses import dataclass
from typing import Final

from operations.comparison.paired_bootstrap import Changes
from operations.comparison.serving_cost import ServingCost

MIN_ACCURACY_CHANGE: Final = -0.02  # non-inferiority: 97.5% sure to lose at most two lesions in a hundred
MIN_MELANOMA_CHANGE: Final = 0.0  # a missed melanoma is the worst mistake: a promotion that accepts more needs a reason
MIN_MALIGNANT_CHANGE: Final = -0.02  # the same for all malignant classes together, which have more lesions
MAX_ECE_RISE: Final = 0.01  # people read the probabilities: int8 may cost as much
MAX_RATIO: Final = 1.25  # of time and size: more is noticed in cold starts and on the bill
MIN_NOTICED_MS: Final = 5.0  # per picture: a smaller difference in time does not count, whatever its ratio
_ROUNDING: Final = 1e-9


@dataclass(frozen=True)
class GateResult:
    """One gate, and whether the challenger passed it."""

    gate: str
    passed: bool
    sentence: str  # the numbers, and the limit


def apply_gates(changes: Changes, challenger: ServingCost, champion: ServingCost) -> list[GateResult]:
    """Apply every gate. A gate whose metric cannot be measured is not passed."""
    return [
        _accuracy(changes),
        _sensitivity(changes, "melanoma sensitivity", "melanoma_sensitivity", MIN_MELANOMA_CHANGE),
        _sensitivity(changes, "malignant sensitivity", "any_malignant_sensitivity", MIN_MALIGNANT_CHANGE),
        _calibration(changes),
        _time(challenger, champion),
        _size(challenger, champion),
    ]


def _accuracy(changes: Changes) -> GateResult:
    name = "balanced accuracy"
    if (metric := changes.metrics.get("balanced_accuracy")) is None:
        return _not_measured(name)
    low = metric.change.low
    sentence = f"the 95% interval of the change starts at {low:+.3f} (limit: above {MIN_ACCURACY_CHANGE:+.3f})"
    return GateResult(name, low > MIN_ACCURACY_CHANGE, sentence)


def _sensitivity(changes: Changes, name: str, metric_name: str, minimum: float) -> GateResult:
    if (metric := changes.metrics.get(metric_name)) is None:
        return _not_measured(name)
    change = metric.change.value
    return GateResult(name, change >= minimum - _ROUNDING, f"changes by {change:+.3f} (limit: at least {minimum:+.3f})")


def _calibration(changes: Changes) -> GateResult:
    name = "calibration"
    if (metric := changes.metrics.get("ece")) is None:
        return _not_measured(name)
    rise = metric.change.value
    sentence = f"the expected calibration error changes by {rise:+.3f} (limit: at most {MAX_ECE_RISE:+.3f})"
    return GateResult(name, rise <= MAX_ECE_RISE + _ROUNDING, sentence)


def _time(challenger: ServingCost, champion: ServingCost) -> GateResult:
    ratio = challenger.picture_ms / max(champion.picture_ms, 1e-6)
    too_small = challenger.picture_ms - champion.picture_ms < MIN_NOTICED_MS
    sentence = (
        f"{challenger.picture_ms:.1f} ms of processor time per picture, champion {champion.picture_ms:.1f} ms "
        f"(limit: {MAX_RATIO:g} times the champion's)"
    )
    return GateResult("time", ratio <= MAX_RATIO or too_small, sentence)


def _size(challenger: ServingCost, champion: ServingCost) -> GateResult:
    ratio = challenger.model_mb / max(champion.model_mb, 1e-6)
    sentence = (
        f"{challenger.model_mb:.3g} MB, champion {champion.model_mb:.3g} MB (limit: {MAX_RATIO:g} times the champion's)"
    )
    return GateResult("size", ratio <= MAX_RATIO, sentence)


def _not_measured(name: str) -> GateResult:
    return GateResult(name, False, "cannot be measured on these pictures")
