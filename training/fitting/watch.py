"""Watches a run: reports its steps and epochs, keeps the best weights, and ends a phase that stops improving."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import keras
import numpy as np

from contract.errors import TrainingError
from training.fitting.epoch import Epoch
from training.fitting.phases import Phase
from training.fitting.run import Run
from training.model import Classifier


class Watch(keras.callbacks.Callback):  # type: ignore[misc]
    """The callback of a run, over all its phases."""

    def __init__(self, classifier: Classifier, phases: list[Phase], run: Run) -> None:
        super().__init__()
        self.epochs: list[Epoch] = []  # finished
        self._classifier, self._phases = classifier, phases
        self._config, self._reporter = run.config, run.reporter
        self._steps_per_epoch = run.steps_per_epoch
        self._total_steps = run.steps_per_epoch * sum(phase.epochs for phase in phases)
        self._phase, self._step = phases[0], 0
        self._best_score: float | None = None  # of the monitored metric; higher is better
        self._best_weights: list[np.ndarray] = []
        self._mean_weights: list[np.ndarray] = []  # over the ends of the last epochs, if they are averaged
        self._epochs_without_improvement = 0
        self._began = time.perf_counter()
        self._loss_is_finite = True

    def start(self, phase: Phase, epoch: int = 0) -> None:
        """Start a phase with full patience, or resume it with a later epoch."""
        earlier = sum(before.epochs for before in self._phases[: self._phases.index(phase)])
        self._phase, self._step = phase, self._steps_per_epoch * (earlier + epoch)
        if epoch == 0:
            self._epochs_without_improvement = 0
        self._report_step()

    def state(self) -> tuple[dict[str, Any], dict[str, list[np.ndarray]]]:
        """Return the arguments of `restore`: the first for JSON, the others as arrays."""
        progress = {
            "epochs": [asdict(epoch) for epoch in self.epochs],
            "best_score": self._best_score,
            "epochs_without_improvement": self._epochs_without_improvement,
        }
        return progress, {"best": self._best_weights, "mean": self._mean_weights}

    def restore(self, progress: dict[str, Any], best: list[np.ndarray], mean: list[np.ndarray]) -> None:
        """Restore the state that an interrupted run saved."""
        self.epochs = [Epoch(**epoch) for epoch in progress["epochs"]]
        self._best_score = progress["best_score"]
        self._epochs_without_improvement = progress["epochs_without_improvement"]
        self._best_weights, self._mean_weights = best, mean

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Start the clock of the epoch."""
        del epoch, logs
        self._began = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Report the step, and end `fit` at a loss that is not a number: no later step can repair it."""
        del batch
        if logs and not math.isfinite(logs["loss"]):
            self._loss_is_finite = False
            self.model.stop_training = True
        self._step += 1
        self._report_step()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Keep the training metrics of the epoch."""
        del epoch
        self._logs = logs or {}

    def check_loss(self) -> None:
        """Check the epoch's loss.

        Raises:
            TrainingError: it stopped being a number.
        """
        if not self._loss_is_finite:
            raise TrainingError(
                f"The loss stopped being a number in epoch {len(self.epochs) + 1}: lower the learning rate of the "
                f"{self._phase.name} phase, which is {self._phase.learning_rate:g}."
            )

    @contextmanager
    def averaged_weights(self) -> Iterator[None]:
        """Validate with the mean of the weights at the last epoch ends, and put the epoch's own weights back.

        Averaged weights are in a flatter region of the loss than those of a single epoch, and generalize better
        (Izmailov et al. 2018, arXiv:1803.05407). To average N epochs, the mean moves by 1/N of the way to the new
        weights after each epoch, so memory holds one mean instead of N copies.
        """
        average_epochs = self._config.average_epochs
        if average_epochs == 1:
            yield
            return
        weights = self._classifier.get_weights()
        ends = 1 + len(self.epochs)
        share = np.float32(1 / min(ends, average_epochs))
        before = weights if ends == 1 else self._mean_weights
        self._mean_weights = [_move(mean, new, share) for mean, new in zip(before, weights, strict=True)]
        self._classifier.set_weights(self._mean_weights)
        try:
            yield
        finally:
            self._classifier.set_weights(weights)

    def record(self, scores: dict[str, float]) -> bool:
        """Record and report a finished epoch, and keep its weights if they are the best so far.

        Args:
            scores: on the validation pictures, with the monitored metric among them.

        Returns:
            whether the phase should continue: it improved within its patience.
        """
        self._began, began = time.perf_counter(), self._began
        epoch = Epoch(
            phase=self._phase.name,
            loss=float(self._logs["loss"]),
            balanced_accuracy=float(self._logs["balanced_accuracy"]),
            validation_loss=float(scores["loss"]),
            validation_balanced_accuracy=float(scores["balanced_accuracy"]),
            seconds=self._began - began,
        )
        self.epochs.append(epoch)
        number = sum(earlier.phase == self._phase.name for earlier in self.epochs)
        self._reporter.log(epoch.line(number, self._phase.epochs))
        score = float(scores[self._config.monitor]) * (-1 if self._config.monitor == "balanced_loss" else 1)
        self._epochs_without_improvement += 1
        if self._best_score is None or score > self._best_score:
            self._best_score, self._epochs_without_improvement = score, 0
            self._best_weights = self._classifier.get_weights()
        return self._epochs_without_improvement < self._config.patience

    def restore_best(self) -> None:
        """Put the weights of the best epoch back."""
        self._classifier.set_weights(self._best_weights)

    def finish(self) -> None:
        """Report all steps as done, also those of a phase that ended early."""
        self._step = self._total_steps
        self._report_step()

    def _report_step(self) -> None:
        self._reporter.on_progress("training", self._step, self._total_steps)


def _move(mean: np.ndarray, new: np.ndarray, share: np.floating) -> np.ndarray:
    """Move a mean towards new weights by a share of the way.

    Frozen weights stay the same to the last bit, signs of zeros included: frozen features are found by their hash.
    """
    return new if np.array_equal(mean, new) else mean + (new - mean) * share
