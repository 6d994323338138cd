"""The learning rate over the steps of a phase."""

import numpy as np
import pytest

from training.config import TrainingConfig
from training.fitting.models import _schedule
from training.fitting.phases import Phase

STEPS = 100
RATE = 0.01


def rates(warm_up: float) -> np.ndarray:
    """Return the learning rate before each of the 100 steps, and after the last."""
    phase = Phase(name="head", train_from="head", epochs=10, learning_rate=RATE)
    schedule = _schedule(phase, TrainingConfig(warm_up=warm_up), STEPS // 10)
    return np.array([float(schedule(step)) for step in range(STEPS + 1)])


def test_without_warm_up_the_learning_rate_starts_at_its_maximum() -> None:
    found = rates(0.0)
    assert found[0] == pytest.approx(RATE)
    assert found == pytest.approx(RATE * (1 + np.cos(np.pi * np.arange(STEPS + 1) / STEPS)) / 2, abs=1e-8)


def test_warm_up_raises_the_learning_rate_in_a_line_and_then_the_cosine_begins() -> None:
    found = rates(0.2)
    assert found[:21] == pytest.approx(np.linspace(0, RATE, 21), abs=1e-8)
    assert found[20:] == pytest.approx(RATE * (1 + np.cos(np.pi * np.arange(81) / 80)) / 2, abs=1e-8)
