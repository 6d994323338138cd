"""Intervals by drawing lesions, not pictures: pictures of one lesion repeat each other and are no independent evidence.

The percentile bootstrap over clusters: Field and Welsh 2007, doi:10.1111/j.1467-9868.2007.00593.x.
"""

import math
from collections.abc import Callable
from typing import Final

import numpy as np

from contract.api import Metric

RESAMPLES: Final = 2000
AT_ONCE: Final = 250  # resamples that are measured together: bounds the memory

Measure = Callable[[np.ndarray], np.ndarray]  # weights of the pictures, shape (R, N) -> a value for each row


def resample_lesions(lesion_id: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """Draw as many lesions as there are, with replacement, again and again.

    Returns:
        how often each picture's lesion was drawn, int16, shape (resamples, N): pictures of one lesion come and go
        together.
    """
    _, lesion = np.unique(lesion_id, return_inverse=True)
    lesions = int(lesion.max()) + 1
    drawn = np.random.default_rng(seed).multinomial(lesions, np.full(lesions, 1 / lesions), size=resamples)
    return np.asarray(drawn.astype(np.int16)[:, lesion])


def with_interval(measure: Measure, weights: np.ndarray, *, centred: bool = False) -> Metric | None:
    """Measure once on the pictures as they are, and take the 95% interval from the resamples; None if it cannot be.

    Args:
        measure: what to measure.
        weights: of the pictures, as `resample_lesions` draws them.
        centred: move the resamples so that their mean is the value itself. For a measure that resampling alone makes
            larger, as it does a mean of absolute gaps, which would else lie under its own interval.
    """
    value = float(measure(np.ones((1, weights.shape[1])))[0])
    if not math.isfinite(value):
        return None
    starts = range(0, len(weights), AT_ONCE)
    resampled = np.concatenate([measure(weights[start : start + AT_ONCE].astype(float)) for start in starts])
    resampled = resampled[np.isfinite(resampled)]  # a resample may lack the pictures that the measure is about
    if not len(resampled):
        return None
    low, high = np.percentile(resampled, (2.5, 97.5))
    if centred:
        moved = resampled.mean() - value
        low, high = max(0.0, low - moved), high - moved
    return Metric(value=value, low=float(low), high=float(high))


def all_or_none(value: float, lesions: int) -> Metric:
    """Give the exact 95% interval of a share that is 0 or 1, for which no resample ever differs.

    Clopper and Pearson 1934, doi:10.1093/biomet/26.4.404, with lesions for trials.
    """
    farthest = 1 - 0.025 ** (1 / lesions)
    return Metric(value=value, low=0.0, high=farthest) if value == 0 else Metric(value=1.0, low=1 - farthest, high=1.0)
