"""The effect of a change: shares and mean changes of the answers, with 95% intervals over lesions."""

from typing import Final

import numpy as np

from contract.api import Metric
from contract.bundle import ChangeEffect
from training.evaluation.bootstrap import Measure, exact_interval, with_interval
from training.evaluation.robustness.serving import Answers
from training.evaluation.weighted_metrics import Proportion, means

PERCENTILE: Final = 0.95


def measure_effect(
    group: str, before: Answers, after: Answers, lesion_id: np.ndarray, weights: np.ndarray
) -> ChangeEffect:
    """Compare the answers to N malignant pictures, all see_a_doctor before the change, with those after it.

    Args:
        group: of the change.
        before: the answers to the unchanged files.
        after: the answers to the changed files, in the same order.
        lesion_id: of the pictures, shape (N,).
        weights: of the pictures, from `training.evaluation.bootstrap.resample_lesions`.
    """
    difference = np.abs(after.malignant - before.malignant)
    return ChangeEffect(
        group=group,
        low_risk=measure_share(after.low_risk, lesion_id, weights),
        noticed=measure_share(after.noticed, lesion_id, weights),
        unchanged=measure_share(after.see_a_doctor, lesion_id, weights),
        probability_change=_measured(lambda drawn: means(difference, drawn), weights),
        probability_change_p95=_measured(lambda drawn: percentiles(difference, drawn, PERCENTILE), weights),
    )


def measure_share(event: np.ndarray, lesion_id: np.ndarray, weights: np.ndarray) -> Metric:
    """Measure the share of pictures with an event (bool, shape (N,)); a share of 0 or 1 gets its exact interval."""
    share = _measured(Proportion(event, np.ones(len(event), bool)), weights)
    if share.low == share.high and share.value in (0, 1):
        return exact_interval(share.value, len(np.unique(lesion_id)))
    return share


def percentiles(values: np.ndarray, weights: np.ndarray, share: float) -> np.ndarray:
    """Return the smallest value that at least this share of the weight does not exceed: shape (R,).

    The inverse of the empirical distribution function: definition 1 of Hyndman and Fan, The American Statistician 50,
    1996.
    """
    order = np.argsort(values, kind="stable")
    cumulative = np.cumsum(weights[:, order], axis=1)
    reached = cumulative >= share * cumulative[:, -1:] - 1e-9
    return np.asarray(values[order][reached.argmax(axis=1)])


def _measured(measure: Measure, weights: np.ndarray) -> Metric:
    metric = with_interval(measure, weights)
    assert metric is not None, "there are pictures"  # noqa: S101 - for the type checker
    return metric
