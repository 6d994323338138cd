"""Watching a run: the mean of the last epochs' weights is judged and kept, and the weights themselves go on."""

import math
from typing import cast

import numpy as np
import pytest

from training.config import Monitor
from training.fitting.phases import Phase
from training.fitting.watch import Watch
from training.model import Classifier

PHASES = [
    Phase(name="head", train_from="head", epochs=3, learning_rate=0.1),
    Phase(name="fine-tuning", train_from="all", epochs=2, learning_rate=0.1),
]


class OneWeight:
    """Stands for a classifier of a single weight."""

    def __init__(self) -> None:
        self.weight = 0.0

    def get_weights(self) -> list[np.ndarray]:
        return [np.array([self.weight], np.float32)]

    def set_weights(self, weights: list[np.ndarray]) -> None:
        (self.weight,) = weights[0].tolist()


def watch_over(network: OneWeight, average_epochs: int, monitor: Monitor = "balanced_accuracy") -> Watch:
    watch = Watch(cast(Classifier, network), PHASES, 1, 9, average_epochs, monitor, lambda *_: None, lambda _: None)
    watch.start(PHASES[0])
    return watch


def judge(watch: Watch, network: OneWeight, weight: float, score: float, loss: float = 1.0) -> float:
    """End an epoch at a weight; return the weight that was judged."""
    network.weight = weight
    watch.on_epoch_end(0, {"loss": 1.0, "balanced_accuracy": 0.5})
    with watch.averaged():
        judged = network.weight
        watch.judge({"loss": 1.0, "balanced_accuracy": score, "balanced_loss": loss})
    assert network.weight == weight
    return judged


@pytest.mark.parametrize(("average_epochs", "judged"), [(1, [1, 3, 6]), (2, [1, 2, 4]), (9, [1, 2, 10 / 3])])
def test_the_mean_of_the_last_epochs_is_judged_and_the_best_kept(average_epochs: int, judged: list[float]) -> None:
    network = OneWeight()
    watch = watch_over(network, average_epochs)
    seen = [judge(watch, network, weight, score) for weight, score in [(1, 0.3), (3, 0.5), (6, 0.4)]]
    assert seen == pytest.approx(judged)
    watch.restore_best()
    assert network.weight == pytest.approx(judged[1])


@pytest.mark.parametrize(("monitor", "kept"), [("balanced_accuracy", 2.0), ("balanced_loss", 3.0)])
def test_the_best_epoch_is_the_best_in_what_is_monitored(monitor: Monitor, kept: float) -> None:
    network = OneWeight()
    watch = watch_over(network, 1, monitor)
    for weight, score, loss in [(1, 0.3, 0.9), (2, 0.5, 0.8), (3, 0.4, 0.7), (4, 0.4, 0.75)]:
        judge(watch, network, weight, score, loss)
    watch.restore_best()
    assert network.weight == kept


def test_the_mean_goes_on_through_the_phases() -> None:
    network = OneWeight()
    watch = watch_over(network, 2)
    judge(watch, network, 1, 0.3)
    watch.start(PHASES[1])
    assert judge(watch, network, 8, 0.4) == 4.5


def test_a_mean_goes_on_in_a_later_session() -> None:
    network = OneWeight()
    earlier = watch_over(network, 2)
    judge(earlier, network, 1, 0.3)
    told, arrays = earlier.state()
    later = watch_over(network, 2)
    later.restore(told, **arrays)
    assert judge(later, network, 3, 0.2) == 2
    later.restore_best()
    assert network.weight == 1


def test_what_is_frozen_stays_the_same_to_the_last_bit() -> None:
    network = OneWeight()
    watch = watch_over(network, 2)
    for _ in range(2):
        assert math.copysign(1, judge(watch, network, -0.0, 0.3)) == -1
