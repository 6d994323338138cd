"""The base of the layers that change pictures at random."""

import math
from typing import Any

import keras
from keras import ops

from training.fitting.inputs.augmentation.changes import Range


class RandomLayer(keras.layers.Layer):  # type: ignore[misc]
    """A layer with a random generator. Its state is a variable, so it is in a checkpoint.

    In training, `change` gets float32 RGB in 0..255, shape (N, height, width, 3), and returns the same. Outside
    training, the pictures stay as they are.
    """

    def __init__(self, seed: int, **options: Any) -> None:
        """Prepare a layer that computes in float32, whatever the precision of the backbone."""
        super().__init__(dtype="float32", **options)
        self.random = keras.random.SeedGenerator(seed)

    def call(self, pictures: Any, training: bool = False) -> Any:
        """Change the pictures, in training."""
        return self.change(pictures) if training else pictures

    def change(self, pictures: Any) -> Any:
        """Change every picture as its own draws decide."""
        raise NotImplementedError

    def draw(self, shape: tuple[Any, ...], low: float, high: float) -> Any:
        """Draw uniformly between `low` and `high`."""
        return keras.random.uniform(shape, low, high, seed=self.random)

    def draw_log(self, shape: tuple[Any, ...], low: float, high: float) -> Any:
        """Draw values whose logarithms are uniform between those of `low` and `high`."""
        return ops.exp(self.draw(shape, math.log(low), math.log(high)))

    def chosen(self, count: Any, probability: float) -> Any:
        """Choose pictures with a probability: true or false, shape (N,)."""
        return self.draw((count,), 0.0, 1.0) < probability


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
