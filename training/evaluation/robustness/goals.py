"""The goals of robustness, and which changes miss them. Loads nothing, because the help of commands names PICTURES."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from contract.bundle import ChangeEffect

PICTURES: Final = 250  # malignant pictures to change: a share of 2% gets an interval of about plus and minus 2%
PICTURES_AFTER_TRAINING: Final = 100  # a minute at 224 px on two cores

LOW_RISK: Final = 0.02  # share of malignant pictures that one change may make low_risk without a warning
TURNED_LOW_RISK: Final = 0.01  # the same for a right-angle turn or the mirror image: nothing was lost
CLASS_CHANGES: Final = 0.06  # share of pictures whose leading class may change when they are turned


def low_risk_goal(effect: "ChangeEffect") -> float:
    """Return the largest share of low_risk answers that a change may cause."""
    return TURNED_LOW_RISK if effect.group == "turn" else LOW_RISK


def misses_goal(effect: "ChangeEffect") -> bool:
    """Return whether a measured share is over its goal; the width of its interval does not count."""
    if effect.class_changes is not None and effect.class_changes.value > CLASS_CHANGES:
        return True
    return effect.low_risk.value > low_risk_goal(effect)


def worst_changes(effects: "Mapping[str, ChangeEffect]") -> list[str]:
    """Return the names of the changes that miss their goals, the largest share of low_risk answers first."""
    missed = [name for name, effect in effects.items() if misses_goal(effect)]
    return sorted(missed, key=lambda name: -effects[name].low_risk.value)
