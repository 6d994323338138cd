"""Confidence intervals from a bootstrap over lesions, since several pictures of one lesion are not independent.

The percentile cluster bootstrap: Field and Welsh 2007, doi:10.1111/j.1467-9868.2007.00593.x.
"""

import math
from collections.abc import Callable
from typing import Final

import numpy as np

from contract.api import Metric

RESAMPLES: Final = 2000
CHUNK: Final = 250  # resamples that are measured together: bounds the memory

Measure = Callable[[np.ndarray], np.ndarray]  # weights of the pictures, shape (R, N) -> a value for each row, (R,)


def resample_lesions(lesion_id: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """Draw as many lesions as there are, with replacement, `resamples` times.

    Returns:
        how often each picture's lesion was drawn: int16, shape (resamples, N). Pictures of one lesion have the same
        count.
    """
    _, lesion = np.unique(lesion_id, return_inverse=True)
    lesions = int(lesion.max()) + 1
    drawn = np.random.default_rng(seed).multinomial(lesions, np.full(lesions, 1 / lesions), size=resamples)
    return np.asarray(drawn.astype(np.int16)[:, lesion])


def with_interval(measure: Measure, weights: np.ndarray, *, centred: bool = False) -> Metric | None:
    """Measure the pictures once, and take the 95% interval from the resamples; None if it cannot be measured.

    Args:
        measure: what to measure.
        weights: of the pictures, from `resample_lesions`.
        centred: shift the resampled values so that their mean equals the value. Use it for a measure that resampling
            increases, such as a mean of absolute gaps: without the shift, the value can be below its interval.
    """
    value = float(measure(np.ones((1, weights.shape[1])))[0])
    if not math.isfinite(value):
        return None
    starts = range(0, len(weights), CHUNK)
    resampled = np.concatenate([measure(weights[start : start + CHUNK].astype(float)) for start in starts])
    resampled = resampled[np.isfinite(resampled)]  # a resample may lack the pictures that the measure needs
    if not len(resampled):
        return None
    low, high = np.percentile(resampled, (2.5, 97.5))
    if centred:
        bias = resampled.mean() - value
        low, high = max(0.0, low - bias), high - bias
    return Metric(value=value, low=float(low), high=float(high))


def exact_interval(value: float, lesions: int) -> Metric:
    """Return the exact 95% interval of a proportion of 0 or 1, where every resample gives the same value.

    Clopper and Pearson 1934, doi:10.1093/biomet/26.4.404, with lesions as trials.
    """
    from scipy.stats import binomtest  # slow to load, and seldom needed

    low, high = binomtest(round(value * lesions), lesions).proportion_ci(0.95, method="exact")
    return Metric(value=value, low=float(low), high=float(high))
