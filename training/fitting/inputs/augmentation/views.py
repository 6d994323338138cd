"""The views of a picture that the frozen stages see. Their output is computed once, so each view is fixed."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
from keras import ops

from training import colour_spaces
from training.fitting.inputs.augmentation.build import photographic_layers
from training.fitting.inputs.augmentation.random_layer import RandomLayer

EXACT_VIEWS: Final = 8  # the mirror images and turns that need no interpolation


def exact_view(pixels: np.ndarray, view: int) -> np.ndarray:
    """Turn or mirror a batch without interpolation: the original and its mirror image, each turned by quarters.

    Args:
        pixels: shape (N, size, size, 3).
        view: 0 gives `pixels`; after `EXACT_VIEWS` they repeat.
    """
    quarters, mirrored = divmod(view % EXACT_VIEWS, 2)
    turned: np.ndarray[Any, Any] = np.rot90(pixels, quarters, axes=(1, 2))
    return turned[:, :, ::-1] if mirrored else turned


class PhotographicChanges:
    """Makes the photographic changes of full augmentation, the same for the same seed, view and batch."""

    def __init__(self, seed: int, size: int) -> None:
        """Build the layers for pictures of size x size pixels."""
        self.seed = seed
        self._layers = photographic_layers(seed)
        pixels = keras.Input((size, size, 3), dtype="uint8")
        self._model = keras.Model(pixels, _Always(self._layers)(pixels))

    @property
    def identity(self) -> str:
        """A text that differs if the changes do: the seed, the backend, and a hash of the code."""
        digest = hashlib.sha256()
        for path in (*sorted(Path(__file__).parent.glob("*.py")), Path(colour_spaces.__file__)):
            digest.update(path.read_bytes())
        return f"{self.seed} {keras.backend.backend()} {digest.hexdigest()}"

    def apply(
        self, pixels: np.ndarray, view: int, start: int, predict: Callable[[keras.Model, np.ndarray], Any]
    ) -> np.ndarray:
        """Change a batch.

        Args:
            pixels: RGB, uint8, shape (N, size, size, 3).
            view: its number.
            start: the index of the batch's first picture.
            predict: runs a model on a batch.

        Returns:
            the same shape and type.
        """
        for number, layer in enumerate(self._layers):
            state = np.random.SeedSequence([self.seed, view, start, number]).generate_state(2)
            layer.random.state.assign(state >> 1)  # TensorFlow keeps it as a signed number
        return np.asarray(np.rint(predict(self._model, pixels)).astype(np.uint8))


class _Always(keras.layers.Layer):  # type: ignore[misc]
    """Changes pictures outside training too."""

    def __init__(self, layers: list[RandomLayer]) -> None:
        super().__init__(dtype="float32")
        self.layers = layers

    def build(self, shape: tuple[int | None, ...]) -> None:
        for layer in self.layers:
            layer.build(shape)

    def call(self, pixels: Any) -> Any:
        changed = ops.cast(pixels, "float32")
        for layer in self.layers:
            changed = layer.apply(changed)
        return changed

    def compute_output_spec(self, pixels: Any) -> Any:
        return keras.KerasTensor(pixels.shape, dtype="float32")
