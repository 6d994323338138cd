"""Balanced metrics: every class counts the same, and padding does not count."""

import keras
import numpy as np
import pytest
from scipy.special import softmax

from training.fitting.metrics import BalancedAccuracy, BalancedLoss


def test_the_balanced_loss_averages_the_classes_that_occur() -> None:
    metric = BalancedLoss()
    random = np.random.default_rng(0)
    truth, logits = np.array([5, 5, 5, 5, 4, 4]), random.normal(0, 1, (6, 7))
    for part in (slice(0, 3), slice(3, 6)):
        metric.update_state(np.eye(7)[truth[part]], logits[part])
    losses = -np.log(softmax(logits, axis=1)[np.arange(6), truth])
    expected = (losses[:4].mean() + losses[4:].mean()) / 2
    assert float(keras.ops.convert_to_numpy(metric.result())) == pytest.approx(expected, rel=1e-5)


def test_balanced_accuracy_averages_the_classes_that_occur() -> None:
    metric = BalancedAccuracy()
    truth, answered = np.array([5, 5, 5, 5, 4, 4]), np.array([5, 5, 5, 4, 4, 0])
    for part in (slice(0, 3), slice(3, 6)):
        metric.update_state(np.eye(7)[truth[part]], np.eye(7)[answered[part]])
    assert float(keras.ops.convert_to_numpy(metric.result())) == pytest.approx((3 / 4 + 1 / 2) / 2)


def test_padding_counts_in_no_class() -> None:
    metric = BalancedAccuracy()
    truth = np.concatenate([np.eye(7)[[5, 4]], np.zeros((2, 7))])
    metric.update_state(truth, np.concatenate([np.eye(7)[[5, 5]], np.eye(7)[[0, 1]]]))
    assert float(keras.ops.convert_to_numpy(metric.result())) == pytest.approx(1 / 2)
