"""The gates on changed pictures: a challenger must not make more malignant lesions low_risk than the champion does.

The rule and its reasons: docs/decisions/promotion.md.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from contract.bundle import ChangeEffect, Robustness
from operations.comparison.gates import GateResult
from training.evaluation.robustness.goals import CLASS_CHANGES, low_risk_goal, worst_changes
from training.evaluation.robustness.names import NOISE_FLOOR, by_group, heading_of, words_for

MAX_NOISE: Final = 0.03  # with few pictures the noise is uncertain: a larger rise is never ignored
NAME: Final = "changed pictures"
_ROUNDING: Final = 1e-9


def apply_robustness_gates(challenger: Robustness | None, champion: Robustness | None) -> list[GateResult]:
    """Apply a gate to each group of changes. Without results of the champion, the challenger must reach the goals.

    Args:
        challenger: its results; None if they were not measured, which does not pass.
        champion: its results, or None.
    """
    if challenger is None:
        sentence = (
            "were not measured: the challenger was made by an earlier version or with too few test pictures; compare "
            "on labelled pictures, with --data"
        )
        return [GateResult(NAME, False, sentence)]
    if champion is None:
        return [_reach_goals(group, effects) for group, effects in by_group(challenger.changes).items()]
    return [
        _compare(challenger, champion, group) for group in by_group(champion.changes) | by_group(challenger.changes)
    ]


def _reach_goals(group: str, effects: Mapping[str, ChangeEffect]) -> GateResult:
    if missed := worst_changes(effects):
        worst = _describe_missed(missed[0], effects[missed[0]])
        more = f", and {len(missed) - 1} more" if len(missed) > 1 else ""
        return GateResult(_title(group), False, f"the champion was not measured, and a goal is missed: {worst}{more}")
    return GateResult(_title(group), True, "the champion was not measured, and all goals are reached")


def _describe_missed(name: str, effect: ChangeEffect) -> str:
    if effect.low_risk.value > low_risk_goal(effect) or effect.class_changes is None:
        share, goal = effect.low_risk.value, low_risk_goal(effect)
        return f"{words_for(name)}: {share:.1%} become low_risk (goal: at most {goal:.0%})"
    share = effect.class_changes.value
    return f"{words_for(name)}: the leading class changes in {share:.1%} (goal: at most {CLASS_CHANGES:.0%})"


def _compare(challenger: Robustness, champion: Robustness, group: str) -> GateResult:
    effects = by_group(challenger.changes).get(group, {}), by_group(champion.changes).get(group, {})
    common = [name for name in effects[0] if name in effects[1]]
    if not common:
        return GateResult(_title(group), False, "were not measured for both models; compare with --data")
    shares = [_mean_share(model, common) for model in (challenger, champion)]
    limit = _noise(champion)
    sentence = f"{shares[0]:.1%} become low_risk, champion {shares[1]:.1%} (limit: {limit:.1%} more, the noise)"
    return GateResult(_title(group), shares[0] - shares[1] <= limit + _ROUNDING, sentence)


def _mean_share(model: Robustness, names: Sequence[str]) -> float:
    return sum(model.changes[name].low_risk.value for name in names) / len(names)


def _noise(champion: Robustness) -> float:
    """Return the upper end of the 95% interval of the share that saving a picture again makes low_risk."""
    floor = champion.changes.get(NOISE_FLOOR)
    return 0.0 if floor is None else min(floor.low_risk.high, MAX_NOISE)


def _title(group: str) -> str:
    heading = heading_of(group)
    return f"{NAME}, {heading[:1].lower()}{heading[1:]}"
