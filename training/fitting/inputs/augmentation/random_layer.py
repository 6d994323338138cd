"""The base of the layers that change pictures at random."""

from typing import Any

import keras


class RandomLayer(keras.layers.Layer):  # type: ignore[misc]
    """A layer with a random generator. Its state is a variable, so it is in a checkpoint."""

    def __init__(self, seed: int, **options: Any) -> None:
        """Prepare a layer that computes in float32, whatever the precision of the backbone."""
        super().__init__(dtype="float32", **options)
        self.random = keras.random.SeedGenerator(seed)

    def draw(self, shape: tuple[Any, ...], low: float, high: float) -> Any:
        """Draw uniformly between `low` and `high`."""
        return keras.random.uniform(shape, low, high, seed=self.random)
