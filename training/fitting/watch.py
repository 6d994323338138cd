"""Watches a run: reports its steps and epochs, keeps the best weights, and ends a phase that gets no better."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import keras
import numpy as np
from keras import ops

from contract.errors import TrainingError
from contract.labels import CODES
from training.config import Monitor
from training.fitting.epoch import Epoch
from training.fitting.phases import Phase
from training.model import Classifier
from training.progress import OnProgress, Say


class _Balanced(keras.metrics.Metric):  # type: ignore[misc]
    """A mean over the classes that occur, each of them the mean of something over its pictures."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name)
        self.total = self.add_weight(shape=(len(CODES),), initializer="zeros", name="total")
        self.pictures = self.add_weight(shape=(len(CODES),), initializer="zeros", name="pictures")

    def of_each(self, class_index: Any, logits: Any) -> Any:
        """Give what is averaged: float32, shape (N,)."""
        raise NotImplementedError

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch of classes and logits; of a mixture the larger part is its class, and weights play no part."""
        del sample_weight
        class_index = ops.argmax(y_true, -1)
        real = ops.cast(ops.max(y_true, -1, keepdims=True) > 0, "float32")  # what fills a batch up is of no class
        one_hot = ops.one_hot(class_index, len(CODES)) * real
        self.total.assign_add(ops.sum(one_hot * ops.expand_dims(self.of_each(class_index, y_pred), -1), axis=0))
        self.pictures.assign_add(ops.sum(one_hot, axis=0))

    def result(self) -> Any:
        """Divide."""
        occurring = ops.cast(ops.greater(self.pictures, 0), "float32")
        return ops.sum(self.total / ops.maximum(self.pictures, 1)) / ops.maximum(ops.sum(occurring), 1)


class BalancedAccuracy(_Balanced):
    """The mean, over the classes that occur, of the share of their pictures that were recognised."""

    def __init__(self, name: str = "balanced_accuracy") -> None:
        super().__init__(name)

    def of_each(self, class_index: Any, logits: Any) -> Any:
        """Tell which were."""
        return ops.cast(ops.equal(class_index, ops.argmax(logits, -1)), "float32")


class BalancedLoss(_Balanced):
    """The mean, over the classes that occur, of the cross-entropy of their pictures."""

    def __init__(self, name: str = "balanced_loss") -> None:
        super().__init__(name)

    def of_each(self, class_index: Any, logits: Any) -> Any:
        """Measure it, in nats."""
        return keras.losses.sparse_categorical_crossentropy(class_index, ops.cast(logits, "float32"), from_logits=True)


class Watch(keras.callbacks.Callback):  # type: ignore[misc]
    """Of a whole run, over all its phases."""

    def __init__(
        self,
        classifier: Classifier,
        phases: list[Phase],
        steps_per_epoch: int,
        patience: int,
        average_epochs: int,
        monitor: Monitor,
        on_progress: OnProgress,
        say: Say,
    ) -> None:
        super().__init__()
        self.epochs: list[Epoch] = []
        self._classifier, self._phases = classifier, phases
        self._patience, self._average_epochs, self._monitor = patience, average_epochs, monitor
        self._on_progress, self._say = on_progress, say
        self._steps_per_epoch = steps_per_epoch
        self._steps = steps_per_epoch * sum(phase.epochs for phase in phases)
        self._now, self._step = phases[0], 0
        self._best: float | None = None  # of what is monitored; higher is better
        self._best_weights: list[np.ndarray] = []
        self._mean: list[np.ndarray] = []  # of the last epoch ends, where they are averaged
        self._waited = 0
        self._began = time.perf_counter()
        self._spent_s = 0.0  # on the coming epoch, in an earlier session
        self._failed = False

    def start(self, phase: Phase, epoch: int = 0, step: int = 0) -> None:
        """Begin a phase, which has its own patience to better what was reached so far, or go on with it."""
        before = self._phases[: self._phases.index(phase)]
        self._step = self._steps_per_epoch * (sum(earlier.epochs for earlier in before) + epoch) + step
        self._now = phase
        if (epoch, step) == (0, 0):
            self._waited = 0
        self._on_progress("training", self._step, self._steps)

    def state(self) -> tuple[dict[str, Any], dict[str, list[np.ndarray]]]:
        """Give what `restore` takes: for JSON, and as arrays."""
        told = {
            "epochs": [asdict(epoch) for epoch in self.epochs],
            "best": self._best,
            "waited": self._waited,
            "spent_s": time.perf_counter() - self._began,
        }
        return told, {"best": self._best_weights, "mean": self._mean}

    def restore(self, told: dict[str, Any], best: list[np.ndarray], mean: list[np.ndarray]) -> None:
        """Go on from an earlier session."""
        self.epochs = [Epoch(**epoch) for epoch in told["epochs"]]
        self._best, self._waited, self._spent_s = told["best"], told["waited"], told["spent_s"]
        self._best_weights, self._mean = best, mean

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Note the time."""
        del epoch, logs
        self._began = time.perf_counter() - self._spent_s
        self._spent_s = 0.0

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Report the step, and stop at a loss that no further step can mend."""
        del batch
        if logs and not math.isfinite(logs["loss"]):
            self._failed = True
            self.model.stop_training = True
        self._step += 1
        self._on_progress("training", self._step, self._steps)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Note what the training pictures came to."""
        del epoch
        self._logs = logs or {}

    def check(self) -> None:
        """Look whether the steps went well.

        Raises:
            TrainingError: the loss stopped being a number.
        """
        if self._failed:
            raise TrainingError(
                f"The loss stopped being a number in epoch {len(self.epochs) + 1}: lower the learning rate of the "
                f"{self._now.name} phase, which is {self._now.learning_rate:g}."
            )

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Put the mean of the run's last epoch ends in the place of the weights while it is judged.

        Averaged weights lie in a flatter place than those of any one epoch (Izmailov et al. 2018, arXiv:1803.05407). Of
        N to average, the mean moves by an Nth of the way with each epoch, so it needs no more than itself in memory.
        """
        if self._average_epochs == 1:
            yield
            return
        weights = self._classifier.get_weights()
        ends = 1 + len(self.epochs)
        share = np.float32(1 / min(ends, self._average_epochs))
        mean = weights if ends == 1 else self._mean
        self._mean = [_moved(of_mean, now, share) for of_mean, now in zip(mean, weights, strict=True)]
        self._classifier.set_weights(self._mean)
        try:
            yield
        finally:
            self._classifier.set_weights(weights)

    def judge(self, scores: dict[str, float]) -> bool:
        """Record and tell the epoch, keep its weights if they are the best so far, and tell whether to go on.

        Args:
            scores: on the validation pictures; what is monitored is among them.
        """
        self._began, began = time.perf_counter(), self._began
        done = Epoch(
            phase=self._now.name,
            loss=float(self._logs["loss"]),
            balanced_accuracy=float(self._logs["balanced_accuracy"]),
            validation_loss=float(scores["loss"]),
            validation_balanced_accuracy=float(scores["balanced_accuracy"]),
            seconds=self._began - began,
        )
        self.epochs.append(done)
        of_phase = sum(epoch.phase == self._now.name for epoch in self.epochs)
        self._say(done.line(of_phase, self._now.epochs))
        self._waited += 1
        reached = float(scores[self._monitor]) * (-1 if self._monitor == "balanced_loss" else 1)
        if self._best is None or reached > self._best:
            self._best, self._waited = reached, 0
            self._best_weights = self._classifier.get_weights()
        return self._waited < self._patience

    def restore_best(self) -> None:
        """Go back to the weights of the best epoch."""
        self._classifier.set_weights(self._best_weights)

    def end(self) -> None:
        """Report that all is done; the steps of phases that ended early count."""
        self._on_progress("training", self._steps, self._steps)


def _moved(mean: np.ndarray, towards: np.ndarray, share: np.floating) -> np.ndarray:
    """Move a mean. What is frozen stays the same to the last bit, signs of zeros too: features are kept by its hash."""
    return towards if np.array_equal(mean, towards) else mean + (towards - mean) * share
