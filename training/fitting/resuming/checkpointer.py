"""Writes a run down while it goes on, and takes it up again exactly where it was left."""

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np

from contract.errors import TrainingError
from training.fitting.phases import Phase
from training.fitting.resuming.checkpoint import Saved, number, read_checkpoint, write_checkpoint
from training.fitting.resuming.stop import StopRequest
from training.fitting.speed import Meter
from training.fitting.watch import Watch
from training.model import Classifier
from training.progress import Say

EPOCH_WORTH_S: Final = 30  # an epoch that ends this long after the last checkpoint is worth one
STEP_WORTH_S: Final = 600  # and so is a step


@dataclass(frozen=True, kw_only=True)
class Position:
    """The step that comes next: numbers of the phase, of the epoch in it, of the step in that."""

    phase: int = 0
    epoch: int = 0
    step: int = 0


class Keeper(keras.callbacks.Callback):  # type: ignore[misc]
    """Between steps, keeps everything that the next one depends on.

    That is the weights, the optimizer's state (in which the place in the learning rate's schedule is), the states of
    the generators in the model, the metrics, the best weights so far and the position. What an epoch shows is drawn
    from the seed and the epoch's number, so no other generator has a state. Arrays and JSON: no part of it is of one
    Keras backend.
    """

    def __init__(
        self,
        folder: Path | None,
        run: dict[str, Any],
        classifier: Classifier,
        watch: Watch,
        meter: Meter,
        stop: StopRequest,
        say: Say,
        *,
        writes: bool = True,
    ) -> None:
        """Keep checkpoints in `folder`, which is there; without one, nothing is kept.

        Of several instances that train together, all read the checkpoint and one writes it.
        """
        super().__init__()
        self.times_resumed = 0
        self.position = Position()
        self.features: set[str] = set()  # names of the folders of frozen features that the run has used
        self._folder, self._run, self._classifier = folder, run, classifier
        self._watch, self._meter, self._stop, self._say = watch, meter, stop, say
        self._writes = writes
        self._steps = 0  # in an epoch
        self._saved: Saved | None = None
        self._saved_at = time.monotonic()
        self._first = 0  # the step that the epoch begins with in this session
        self.ended_epoch_early = False  # for the run was told to end

    def resume(self, phases: list[Phase]) -> None:
        """Take up the run that the folder holds, if any: weights, what was watched, and the position.

        Raises:
            TrainingError: the folder holds another run, or one of another version of this code.
        """
        saved = read_checkpoint(self._folder, self._run, self._say) if self._folder else None
        if saved is None:
            return
        self._assign(self._weights(), saved, "weights")
        self._watch.restore(saved.about["watch"], saved.under("best"), saved.under("mean"))
        self._meter.of.update(Meter.from_json(saved.about["speed"]).of)
        self.position = Position(**saved.about["position"])
        self.times_resumed = saved.about["times_resumed"] + 1
        self.features = set(saved.about["features"])
        self._saved = saved
        self._say(f"goes on with an earlier run, {self._where(phases)}")

    def enter(self, learning: keras.Model, steps: int) -> None:
        """Begin the phase of the position with its model, or go on within it."""
        self._learning, self._steps = learning, steps
        if self._saved and (self.position.epoch or self.position.step):
            self._assign(learning.optimizer.variables, self._saved, "optimizer")
            self._assign(self._generators(), self._saved, "generators")
        if self.position.step == 0:
            self._saved = None

    def begin(self, first: int) -> "Keeper":
        """Say with which step the coming epoch begins."""
        self._first = first
        return self

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Go on with the epoch's metrics, if it began in an earlier session."""
        del epoch, logs
        if self._saved:
            self._assign(_metrics_of(self.model), self._saved, "metrics")
            self._saved = None

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Write the run down if it is time or was told to end, and then end it."""
        del logs
        done = self._first + batch + 1
        if done == self._steps:  # the epoch is to be judged first
            return
        self.position = Position(phase=self.position.phase, epoch=self.position.epoch, step=done)
        if self._stop.requested:
            self.model.stop_training = self.ended_epoch_early = True
        elif time.monotonic() - self._saved_at > STEP_WORTH_S:
            self.save()

    def end_epoch(self, following: Position, phases: list[Phase]) -> None:
        """Write the run down if it is worth it or was told to end.

        Raises:
            RunInterruptedError: it was told to end.
        """
        self.position = following
        if self._stop.requested:
            self.give_way(phases)
        if time.monotonic() - self._saved_at > EPOCH_WORTH_S:
            self.save()

    def give_way(self, phases: list[Phase]) -> None:
        """Write the run down and end it.

        Raises:
            RunInterruptedError: always.
        """
        if self._folder is None:
            raise self._stop.error("the training so far is lost, for it was given no folder for checkpoints.")
        if self._writes and not self.save():
            raise self._stop.error(f"the run could not be written down in {self._folder}; an older state may be there.")
        raise self._stop.error(f"the run is written down, {self._where(phases)}; the same command goes on from there.")

    def save(self) -> bool:
        """Write the run down as it is between two steps; a full disk is told, and the checkpoint before is kept."""
        if self._folder is None or not self._writes:
            return False
        getattr(self._learning, "jax_state_sync", lambda: None)()  # JAX keeps the state apart while `fit` runs
        told, watched = self._watch.state()
        about = {
            "run": self._run,
            "position": asdict(self.position),
            "watch": told,
            "speed": self._meter.to_json(),
            "times_resumed": self.times_resumed,
            "features": sorted(self.features),
        }
        parts = {
            "weights": self._weights(),
            "optimizer": self._learning.optimizer.variables,
            "generators": self._generators(),
            "metrics": self._learning.metrics_variables,
        }
        arrays = {key: array for name, part in parts.items() for key, array in number(name, _arrays(part)).items()}
        self._saved_at = time.monotonic()
        try:
            for name, part in watched.items():
                arrays |= number(name, part)
            write_checkpoint(self._folder, about, arrays)
        except OSError as error:
            self._say(f"no checkpoint could be written to {self._folder} ({error.strerror or error}); training goes on")
            return False
        return True

    def _weights(self) -> list[Any]:
        return [*self._classifier.backbone.weights, *self._classifier.head.weights]

    def _generators(self) -> list[Any]:
        """Find what the model has beside weights: the states of its layers' random generators."""
        weights = {id(weight) for weight in self._learning.weights}
        return [variable for variable in self._learning.variables if id(variable) not in weights]

    def _where(self, phases: list[Phase]) -> str:
        at = self.position
        if at.phase == len(phases):
            return "after its last epoch"
        step = f" after step {at.step}" if at.step else ""
        return f"in epoch {at.epoch + 1} of {phases[at.phase].name}{step}"

    def _assign(self, variables: list[Any], saved: Saved, name: str) -> None:
        arrays = saved.under(name)
        if [array.shape for array in arrays] != [tuple(variable.shape) for variable in variables]:
            raise TrainingError(
                f"The checkpoint in {self._folder} was written by another version of this code or of Keras: its {name} "
                "do not fit. Go on with that version, or start anew and give it up."
            )
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array)


def _arrays(variables: list[Any]) -> list[np.ndarray]:
    return [np.asarray(variable.numpy()) for variable in variables]


def _metrics_of(model: keras.Model) -> list[Any]:
    """Give the metrics' variables, which Keras makes when it first needs them."""
    nothing = np.zeros((1, 7), np.float32)
    model.compute_metrics(None, nothing, nothing, None)
    model.reset_metrics()
    return list(model.metrics_variables)
