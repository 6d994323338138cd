"""Watching a run: the mean weights of the last epochs are validated and kept, and training continues without them."""

import math
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from training.config import Monitor, TrainingConfig
from training.data.pictures import Pictures
from training.fitting.phases import Phase
from training.fitting.run import Run
from training.fitting.watch import Watch
from training.model import Classifier

PHASES = [
    Phase(name="head", train_from="head", epochs=3, learning_rate=0.1),
    Phase(name="fine-tuning", train_from="all", epochs=2, learning_rate=0.1),
]


class OneWeight:
    """A classifier with a single weight."""

    def __init__(self) -> None:
        self.weight = 0.0

    def get_weights(self) -> list[np.ndarray]:
        return [np.array([self.weight], np.float32)]

    def set_weights(self, weights: list[np.ndarray]) -> None:
        (self.weight,) = weights[0].tolist()


def watch_over(network: OneWeight, average_epochs: int, monitor: Monitor = "balanced_accuracy") -> Watch:
    pictures = Pictures(np.zeros((2, 1, 1, 3), np.uint8), np.arange(2), np.zeros(2, int))
    config = TrainingConfig(patience=9, average_epochs=average_epochs, monitor=monitor, batch_size=2)
    run = Run(config=config, train=pictures, validation=pictures, scratch=Path())
    watch = Watch(cast(Classifier, network), PHASES, run)
    watch.start(PHASES[0])
    return watch


def end_epoch(watch: Watch, network: OneWeight, weight: float, score: float, loss: float = 1.0) -> float:
    """End an epoch with a weight, and return the weight that was validated."""
    network.weight = weight
    watch.on_epoch_end(0, {"loss": 1.0, "balanced_accuracy": 0.5})
    with watch.averaged_weights():
        validated = network.weight
        watch.record({"loss": 1.0, "balanced_accuracy": score, "balanced_loss": loss})
    assert network.weight == weight
    return validated


@pytest.mark.parametrize(("average_epochs", "validated"), [(1, [1, 3, 6]), (2, [1, 2, 4]), (9, [1, 2, 10 / 3])])
def test_the_mean_of_the_last_epochs_is_validated_and_the_best_kept(
    average_epochs: int, validated: list[float]
) -> None:
    network = OneWeight()
    watch = watch_over(network, average_epochs)
    seen = [end_epoch(watch, network, weight, score) for weight, score in [(1, 0.3), (3, 0.5), (6, 0.4)]]
    assert seen == pytest.approx(validated)
    watch.restore_best()
    assert network.weight == pytest.approx(validated[1])


@pytest.mark.parametrize(("monitor", "kept"), [("balanced_accuracy", 2.0), ("balanced_loss", 3.0)])
def test_the_monitored_metric_chooses_the_best_epoch(monitor: Monitor, kept: float) -> None:
    network = OneWeight()
    watch = watch_over(network, 1, monitor)
    for weight, score, loss in [(1, 0.3, 0.9), (2, 0.5, 0.8), (3, 0.4, 0.7), (4, 0.4, 0.75)]:
        end_epoch(watch, network, weight, score, loss)
    watch.restore_best()
    assert network.weight == kept


def test_the_mean_continues_in_the_next_phase() -> None:
    network = OneWeight()
    watch = watch_over(network, 2)
    end_epoch(watch, network, 1, 0.3)
    watch.start(PHASES[1])
    assert end_epoch(watch, network, 8, 0.4) == 4.5


def test_the_mean_and_the_best_weights_continue_in_a_later_session() -> None:
    network = OneWeight()
    earlier = watch_over(network, 2)
    end_epoch(earlier, network, 1, 0.3)
    progress, arrays = earlier.state()
    later = watch_over(network, 2)
    later.restore(progress, **arrays)
    assert end_epoch(later, network, 3, 0.2) == 2
    later.restore_best()
    assert network.weight == 1


def test_frozen_weights_stay_the_same_to_the_last_bit() -> None:
    network = OneWeight()
    watch = watch_over(network, 2)
    for _ in range(2):
        assert math.copysign(1, end_epoch(watch, network, -0.0, 0.3)) == -1
