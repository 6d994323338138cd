"""The speed of a run, and how long it waits for its data."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import keras

from training.fitting.inputs.batches import Batches


@dataclass(kw_only=True)
class Speed:
    """The times of a phase's steps, without the first step of each session, which compiles the graph."""

    steps: int = 0
    pictures: int = 0  # in those steps
    stepping_s: float = 0.0  # from the request for a batch to the end of the step
    waiting_s: float = 0.0  # the part of that until the batch was read
    pictures_read: int = 0
    reading_s: float = 0.0  # summed over the threads that read batches

    @property
    def images_per_s(self) -> float:
        """Pictures trained on in a second."""
        return self.pictures / self.stepping_s if self.stepping_s else 0.0

    @property
    def step_s(self) -> float:
        """The mean duration of a step, without waiting."""
        return (self.stepping_s - self.waiting_s) / self.steps if self.steps else 0.0

    @property
    def feed_images_per_s(self) -> float:
        """Pictures that one thread reads in a second."""
        return self.pictures_read / self.reading_s if self.reading_s else 0.0

    @property
    def waiting_share(self) -> float:
        """The share of the steps' time in which they waited for data: 0 to 1."""
        return self.waiting_s / self.stepping_s if self.stepping_s else 0.0

    def __str__(self) -> str:
        return (
            f"{self.images_per_s:.4g} img/s in steps of {1000 * self.step_s:.4g} ms; one thread reads "
            f"{self.feed_images_per_s:.4g} img/s, and {self.waiting_share:.1%} of the time was spent waiting for data"
        )


class SpeedMeter:
    """Measures the speed of each phase, by its name."""

    def __init__(self, speeds: Mapping[str, Speed] | None = None) -> None:
        self.speeds = dict(speeds or {})

    def clock(self, phase: str) -> "StepClock":
        """Make the callback that measures a phase."""
        return StepClock(self.speeds.setdefault(phase, Speed()))

    def to_json(self) -> dict[str, Any]:
        """Return the argument of `restore`."""
        return {phase: asdict(speed) for phase, speed in self.speeds.items()}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Continue from the measurements of an interrupted run."""
        self.speeds = {phase: Speed(**numbers) for phase, numbers in saved.items()}


class StepClock(keras.callbacks.Callback):  # type: ignore[misc]
    """Times the steps of `fit`. Keras fetches a batch inside the step, so waiting is computed from the time of reading.

    It serves one phase, which has one model: the first step with that model is left out.
    """

    def __init__(self, speed: Speed) -> None:
        super().__init__()
        self._speed = speed
        self._batches: Batches
        self._compiled = False

    def time(self, batches: Batches) -> "StepClock":
        """Name the batches of the next epoch."""
        self._batches = batches
        return self

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Start the clock."""
        del batch, logs
        self._began = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Add the step."""
        del logs
        ended = time.perf_counter()
        read_from, read_to = self._batches.reads[batch]
        self._speed.pictures_read += self._batches.pictures_read_per_batch
        self._speed.reading_s += read_to - read_from
        if self._compiled:
            self._speed.steps += 1
            self._speed.pictures += self._batches.pictures_per_batch
            self._speed.stepping_s += ended - self._began
            self._speed.waiting_s += min(max(0.0, read_to - self._began), ended - self._began)
        self._compiled = True
