"""Saves a run after each epoch, and resumes an interrupted run with the epoch after its last finished one."""

from dataclasses import asdict, dataclass
from typing import Any

import keras
import numpy as np

from contract.errors import TrainingError
from training.fitting.phases import Phase
from training.fitting.resuming.checkpoint import Checkpoint, number, read_checkpoint, write_checkpoint
from training.fitting.resuming.stop import RunInterruptedError
from training.fitting.run import Run
from training.fitting.speed import SpeedMeter
from training.fitting.watch import Watch
from training.model import Classifier


@dataclass(frozen=True, kw_only=True)
class Position:
    """The next epoch: the number of its phase, and its own number in that phase. Both count from 0."""

    phase: int = 0
    epoch: int = 0


class Checkpointer:
    """Writes and reads the checkpoint of one run.

    A checkpoint holds everything that the next epoch depends on: the weights, the state of the optimizer (its step
    decides the learning rate), the states of the model's random generators, the best weights so far, and the position.
    An epoch is drawn from the seed and its number, so no other generator has a state. A checkpoint holds arrays and
    JSON only, and no backend's own format.

    Of several instances, all read the checkpoint and the leader writes it.
    """

    def __init__(self, classifier: Classifier, phases: list[Phase], run: Run, watch: Watch, meter: SpeedMeter) -> None:
        self.times_resumed = 0
        self.position = Position()
        self.features: set[str] = set()  # names of the folders of frozen features that the run has used
        self._classifier, self._phases, self._run = classifier, phases, run
        self._watch, self._meter = watch, meter
        self._restored: Checkpoint | None = None
        self._write_failed = False

    def resume(self) -> None:
        """Restore weights, scores and position from the checkpoint, if there is one.

        Raises:
            TrainingError: the checkpoint belongs to another run, or to another version of this code.
        """
        run = self._run
        if run.checkpoints is None:
            return
        checkpoint = read_checkpoint(run.checkpoints, dict(run.identity), run.reporter.log)
        if checkpoint is None:
            return
        about = checkpoint.about
        self._assign(self._weights(), checkpoint, "weights")
        self._watch.restore(about["watch"], checkpoint.arrays_of("best"), checkpoint.arrays_of("mean"))
        self._meter.restore(about["speed"])
        self.position = Position(**about["position"])
        self.times_resumed = about["times_resumed"] + 1
        self.features = set(about["features"])
        self._restored = checkpoint
        run.reporter.log(f"resumes an earlier run, {self._place()}")

    def restore_training_state(self, model: keras.Model) -> None:
        """Restore the optimizer and the random generators of a phase's model, if the run resumes within the phase."""
        if self._restored and self.position.epoch:
            self._assign(model.optimizer.variables, self._restored, "optimizer")
            self._assign(_generators(model), self._restored, "generators")
        self._restored = None

    def save(self, position: Position, model: keras.Model) -> None:
        """Write the run as it is after an epoch, before `position`.

        If the disk is full, a line reports that, and the earlier checkpoint stays.
        """
        self.position = position
        run = self._run
        if run.checkpoints is None or not run.devices.cluster.is_leader:
            return
        progress, best_and_mean = self._watch.state()
        about = {
            "run": dict(run.identity),
            "position": asdict(position),
            "watch": progress,
            "speed": self._meter.to_json(),
            "times_resumed": self.times_resumed,
            "features": sorted(self.features),
        }
        parts = {
            "weights": _arrays(self._weights()),
            "optimizer": _arrays(model.optimizer.variables),
            "generators": _arrays(_generators(model)),
            **best_and_mean,
        }
        arrays = {key: array for name, part in parts.items() for key, array in number(name, part).items()}
        try:
            write_checkpoint(run.checkpoints, about, arrays)
        except OSError as error:
            self._write_failed = True
            run.reporter.log(
                f"no checkpoint could be written to {run.checkpoints} ({error.strerror or error}); training continues"
            )
        else:
            self._write_failed = False

    def interruption(self) -> RunInterruptedError:
        """Make the error that ends an interrupted run. The message states what is saved."""
        folder = self._run.checkpoints
        if folder is None:
            sentence = "the training so far is lost, because the run has no folder for checkpoints."
        elif self._write_failed:
            sentence = f"the last checkpoint could not be written to {folder}. An older one may be there."
        elif self.position == Position():
            sentence = "no epoch has finished, so nothing is saved. The same command starts again."
        else:
            sentence = f"the run is saved. The same command resumes it, {self._place()}."
        return self._run.stop.error(sentence)

    def _place(self) -> str:
        if self.position.phase == len(self._phases):
            return "after its last epoch"
        return f"in epoch {self.position.epoch + 1} of {self._phases[self.position.phase].name}"

    def _weights(self) -> list[Any]:
        return [*self._classifier.backbone.weights, *self._classifier.head.weights]

    def _assign(self, variables: list[Any], checkpoint: Checkpoint, name: str) -> None:
        arrays = checkpoint.arrays_of(name)
        if [array.shape for array in arrays] != [tuple(variable.shape) for variable in variables]:
            raise TrainingError(
                f"The checkpoint in {self._run.checkpoints} was written by another version of this code or of Keras: "
                f"its {name} do not fit. Resume with that version, or delete the checkpoint and start again."
            )
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array)


def _generators(model: keras.Model) -> list[Any]:
    """Return the variables of a model that are not weights: the states of its layers' random generators."""
    weights = {id(weight) for weight in model.weights}
    return [variable for variable in model.variables if id(variable) not in weights]


def _arrays(variables: list[Any]) -> list[np.ndarray]:
    return [np.asarray(variable.numpy()) for variable in variables]
