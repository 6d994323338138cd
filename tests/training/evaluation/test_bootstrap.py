"""The bootstrap: it resamples lesions, and its intervals agree with theory."""

import numpy as np
import pytest

from training.evaluation.bootstrap import exact_interval, resample_lesions, with_interval


def test_pictures_of_one_lesion_are_drawn_together() -> None:
    weights = resample_lesions(np.array(["a", "b", "a", "c", "a"]), resamples=200, seed=0)
    assert np.array_equal(weights[:, 0], weights[:, 2])
    assert np.array_equal(weights[:, 0], weights[:, 4])
    assert not np.array_equal(weights[:, 0], weights[:, 1])
    assert (weights[:, [0, 1, 3]].sum(axis=1) == 3).all()  # as many lesions as there are


def test_the_interval_of_a_proportion_agrees_with_the_binomial_distribution() -> None:
    right = np.arange(400) < 300
    weights = resample_lesions(np.arange(400), resamples=4000, seed=0)
    metric = with_interval(lambda weights: (weights @ right) / weights.sum(axis=1), weights)
    half_width = 1.96 * np.sqrt(0.75 * 0.25 / 400)
    assert metric is not None
    assert metric.value == 0.75
    assert (metric.low, metric.high) == pytest.approx((0.75 - half_width, 0.75 + half_width), abs=0.005)


def test_a_metric_that_cannot_be_measured_has_no_interval() -> None:
    weights = resample_lesions(np.arange(5), resamples=10, seed=0)
    assert with_interval(lambda weights: np.full(len(weights), np.nan), weights) is None


def test_resamples_without_a_value_are_left_out() -> None:
    weights = resample_lesions(np.arange(3), resamples=400, seed=0)
    metric = with_interval(lambda weights: np.where(weights[:, 0] > 0, 1.0, np.nan), weights)
    assert metric is not None
    assert (metric.low, metric.value, metric.high) == (1, 1, 1)


def test_a_centred_interval_lies_around_the_value() -> None:
    weights = resample_lesions(np.arange(200), resamples=500, seed=0)
    gaps = np.tile([1.0, -1.0], 100)[:, None] * np.repeat(np.eye(20), 10, axis=0)  # 20 bins with a mean gap of 0

    def total_gap(weights: np.ndarray) -> np.ndarray:
        return np.asarray(np.abs(weights @ gaps).sum(axis=1) / weights.sum(axis=1))

    plain, centred = with_interval(total_gap, weights), with_interval(total_gap, weights, centred=True)
    assert plain is not None
    assert centred is not None
    assert plain.value == centred.value == 0
    assert plain.low > 0.1  # the value lies below its own interval
    assert centred.low == 0 < centred.high


@pytest.mark.parametrize("lesions", [1, 7, 10, 986])
def test_the_exact_interval_is_that_of_clopper_and_pearson(lesions: int) -> None:
    bound = 1 - 0.025 ** (1 / lesions)  # the closed form for 0 of `lesions`
    none, all_of_them = exact_interval(0.0, lesions), exact_interval(1.0, lesions)
    assert (none.value, none.low, none.high) == pytest.approx((0, 0, bound), abs=1e-9)
    assert (all_of_them.value, all_of_them.low, all_of_them.high) == pytest.approx((1, 1 - bound, 1), abs=1e-9)


def test_a_proportion_of_0_or_1_has_an_interval_of_the_known_width() -> None:
    assert exact_interval(1.0, 10).model_dump() == pytest.approx({"value": 1, "low": 0.6915, "high": 1}, abs=1e-4)
    assert exact_interval(0.0, 10).model_dump() == pytest.approx({"value": 0, "low": 0, "high": 0.3085}, abs=1e-4)
