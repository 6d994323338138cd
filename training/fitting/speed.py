"""How fast a run goes, and whether it waits for its data."""

import time
from dataclasses import asdict, dataclass, field
from typing import Any

import keras

from training.fitting.batches import Batches


@dataclass(kw_only=True)
class Speed:
    """What the steps of a phase took, without each session's first, in which the graph is made."""

    steps: int = 0
    pictures: int = 0  # in those steps
    stepping_s: float = 0.0  # from when a step was ready for its batch to when it was done
    waiting_s: float = 0.0  # of that, until the batch had been read
    pictures_read: int = 0
    reading_s: float = 0.0  # in the threads that read batches, added up

    @property
    def images_per_s(self) -> float:
        """Pictures learned from in a second."""
        return self.pictures / self.stepping_s if self.stepping_s else 0.0

    @property
    def step_s(self) -> float:
        """The mean of a step, without its waiting."""
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
            f"{self.images_per_s:.4g} img/s in steps of {1000 * self.step_s:.4g} ms; a reading thread gives "
            f"{self.feed_images_per_s:.4g} img/s, and {self.waiting_share:.1%} of the time went by waiting for data"
        )


@dataclass(eq=False)
class Meter:
    """The speeds of all phases, by their names."""

    of: dict[str, Speed] = field(default_factory=dict)

    def clock(self, phase: str) -> "StepClock":
        """Make the callback that adds to a phase's speed."""
        return StepClock(self.of.setdefault(phase, Speed()))

    def to_json(self) -> dict[str, Any]:
        """Give what `from_json` takes."""
        return {phase: asdict(speed) for phase, speed in self.of.items()}

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> "Meter":
        """Go on from what an earlier session measured."""
        return cls({phase: Speed(**numbers) for phase, numbers in kept.items()})


class StepClock(keras.callbacks.Callback):  # type: ignore[misc]
    """Times the steps of `fit`. Keras fetches a batch inside the step, so what was waited is told by when it was read.

    Runs while a phase has one model: the first step after it is made is left out.
    """

    def __init__(self, speed: Speed) -> None:
        super().__init__()
        self._speed = speed
        self._batches: Batches
        self._warm = False

    def time(self, batches: Batches) -> "StepClock":
        """Say what the coming epoch reads."""
        self._batches = batches
        return self

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Start."""
        del batch, logs
        self._began = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Add the step."""
        del logs
        ended = time.perf_counter()
        read_from, read_to = self._batches.reads[batch]
        self._speed.pictures_read += self._batches.pictures_read_per_batch
        self._speed.reading_s += read_to - read_from
        if self._warm:
            self._speed.steps += 1
            self._speed.pictures += self._batches.pictures_per_batch
            self._speed.stepping_s += ended - self._began
            self._speed.waiting_s += min(max(0.0, read_to - self._began), ended - self._began)
        self._warm = True
