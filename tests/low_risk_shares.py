"""Results of changed pictures with chosen shares, for tests that need any results."""

from collections.abc import Mapping

from contract.api import Metric
from contract.bundle import ChangeEffect, Robustness
from training.evaluation.robustness.names import NAMES


def low_risk_shares(
    shares: Mapping[str, float], *, width: float = 0.01, class_changes: Mapping[str, float] | None = None
) -> Robustness:
    """Make the results of every change.

    Args:
        shares: change -> share that becomes low_risk; 0 for the others.
        width: of an interval, above its value.
        class_changes: turn -> share of pictures with another leading class; 0 for the others.
    """

    def metric(value: float) -> Metric:
        return Metric(value=value, low=value, high=min(value + width, 1.0))

    return Robustness(
        pictures=100,
        lesions=60,
        all_pictures=100,
        all_lesions=90,
        changes={
            name: ChangeEffect(
                group=named.group,
                low_risk=metric(shares.get(name, 0.0)),
                noticed=metric(0.0),
                unchanged=metric(1 - shares.get(name, 0.0)),
                probability_change=metric(0.05),
                probability_change_p95=metric(0.2),
                class_changes=metric((class_changes or {}).get(name, 0.0)) if named.group == "turn" else None,
            )
            for name, named in NAMES.items()
        },
    )
