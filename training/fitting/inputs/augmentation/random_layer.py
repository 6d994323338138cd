"""The base of the layers that change pictures at random."""

import math
from typing import Any, Final

import keras
from keras import ops

from training.fitting.inputs.augmentation.changes import Range

NUMBERS: Final = 64  # random numbers for a picture in each layer


class RandomLayer(keras.layers.Layer):  # type: ignore[misc]
    """A layer with a random generator. Its state is a variable, so it is in a checkpoint.

    Outside training, the pictures stay as they are.
    """

    def __init__(self, seed: int, **options: Any) -> None:
        """Prepare a layer that computes in float32, whatever the precision of the backbone."""
        super().__init__(dtype="float32", **options)
        self.random = keras.random.SeedGenerator(seed)

    def call(self, pictures: Any, training: bool = False) -> Any:
        """Change the pictures, in training."""
        return self.apply(pictures) if training else pictures

    def apply(self, pictures: Any) -> Any:
        """Change the pictures by the next random numbers of the generator."""
        shape = (ops.shape(pictures)[0], NUMBERS)
        return self.change(pictures, Draws(keras.random.uniform(shape, seed=self.random)))

    def change(self, pictures: Any, draws: "Draws") -> Any:
        """Change every picture as its draws decide.

        Args:
            pictures: float32 RGB in 0..255, shape (N, height, width, 3).
            draws: of these pictures.

        Returns:
            the same shape, type and range.
        """
        raise NotImplementedError


class Draws:
    """Random numbers for a batch, drawn at once: XLA takes long to compile each call of a generator."""

    def __init__(self, numbers: Any) -> None:
        """Take numbers between 0 and 1, shape (N, NUMBERS)."""
        self._numbers, self._used = numbers, 0

    def uniform(self, low: float, high: float, *shape: int) -> Any:
        """Draw uniformly between `low` and `high`, with the shape (N, *shape)."""
        first, self._used = self._used, self._used + math.prod(shape)
        if self._used > NUMBERS:
            raise IndexError(f"a layer draws more than {NUMBERS} numbers for a picture")
        return low + (high - low) * ops.reshape(self._numbers[:, first : self._used], (-1, *shape))

    def logarithmic(self, low: float, high: float, *shape: int) -> Any:
        """Draw values whose logarithms are uniform between those of `low` and `high`."""
        return ops.exp(self.uniform(math.log(low), math.log(high), *shape))

    def chosen(self, probability: float, *shape: int) -> Any:
        """Choose with a probability: true or false, shape (N, *shape)."""
        return self.uniform(0.0, 1.0, *shape) < probability


def whole_number(low_high: Range) -> tuple[float, float]:
    """Return the range of uniform draws whose integer parts are uniform over `low` to `high`, both included."""
    return low_high[0], low_high[1] + 1


def grid(pictures: Any) -> tuple[Any, Any, float]:
    """Return the pixels' places from the middle, in shares of the shorter side, and that side in pixels.

    Returns:
        x of shape (1, width), y of shape (height, 1), and the side.
    """
    height, width = pictures.shape[1:3]
    side = min(height, width)
    x = (ops.arange(width, dtype="float32") - (width - 1) / 2) / side
    y = (ops.arange(height, dtype="float32") - (height - 1) / 2) / side
    return ops.reshape(x, (1, width)), ops.reshape(y, (height, 1)), float(side)


def blend(pictures: Any, colour: Any, opacity: Any) -> Any:
    """Put a colour of each picture, shape (N, 3), over it. The opacity, (N, height, width), is between 0 and 1."""
    return pictures + ops.expand_dims(opacity, -1) * (ops.reshape(colour, (-1, 1, 1, 3)) - pictures)
