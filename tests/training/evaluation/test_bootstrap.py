"""The bootstrap: lesions are drawn whole, and the intervals are those that theory gives."""

import numpy as np
import pytest

from training.evaluation.bootstrap import all_or_none, resample_lesions, with_interval


def test_pictures_of_one_lesion_are_drawn_together() -> None:
    weights = resample_lesions(np.array(["a", "b", "a", "c", "a"]), resamples=200, seed=0)
    assert np.array_equal(weights[:, 0], weights[:, 2])
    assert np.array_equal(weights[:, 0], weights[:, 4])
    assert not np.array_equal(weights[:, 0], weights[:, 1])
    assert (weights[:, [0, 1, 3]].sum(axis=1) == 3).all()  # as many lesions as there are


def test_the_interval_of_a_share_is_that_of_the_binomial() -> None:
    right = np.arange(400) < 300
    weights = resample_lesions(np.arange(400), resamples=4000, seed=0)
    metric = with_interval(lambda of: (of @ right) / of.sum(axis=1), weights)
    half_width = 1.96 * np.sqrt(0.75 * 0.25 / 400)
    assert metric is not None
    assert metric.value == 0.75
    assert (metric.low, metric.high) == pytest.approx((0.75 - half_width, 0.75 + half_width), abs=0.005)


def test_a_measure_that_the_pictures_do_not_allow_has_no_interval() -> None:
    weights = resample_lesions(np.arange(5), resamples=10, seed=0)
    assert with_interval(lambda of: np.full(len(of), np.nan), weights) is None


def test_resamples_that_lack_what_is_measured_do_not_count() -> None:
    weights = resample_lesions(np.arange(3), resamples=400, seed=0)
    metric = with_interval(lambda of: np.where(of[:, 0] > 0, 1.0, np.nan), weights)
    assert metric is not None
    assert (metric.low, metric.value, metric.high) == (1, 1, 1)


def test_a_centred_interval_lies_around_the_value() -> None:
    weights = resample_lesions(np.arange(200), resamples=500, seed=0)
    gaps = np.tile([1.0, -1.0], 100)[:, None] * np.repeat(np.eye(20), 10, axis=0)  # in 20 bins, each of them even

    def total_gap(of: np.ndarray) -> np.ndarray:
        return np.asarray(np.abs(of @ gaps).sum(axis=1) / of.sum(axis=1))

    plain, centred = with_interval(total_gap, weights), with_interval(total_gap, weights, centred=True)
    assert plain is not None
    assert centred is not None
    assert plain.value == centred.value == 0
    assert plain.low > 0.1  # the value lies under its own interval
    assert centred.low == 0 < centred.high


def test_a_share_of_all_or_none_has_the_exact_interval() -> None:
    assert all_or_none(1.0, 10).model_dump() == pytest.approx({"value": 1, "low": 0.6915, "high": 1}, abs=1e-4)
    assert all_or_none(0.0, 10).model_dump() == pytest.approx({"value": 0, "low": 0, "high": 0.3085}, abs=1e-4)
