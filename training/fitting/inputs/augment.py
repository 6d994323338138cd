"""Augmentation: shows the same lesion moved, turned, mirrored and in other light, all of which keep its class."""

import math
from collections.abc import Iterator
from typing import Any, Final

import keras
import numpy as np
from keras import ops

TURN: Final = 0.5  # of a full turn, either way: a lesion has no top and bottom
ZOOM: Final = 0.15  # share of the side, either way
SHIFT: Final = 0.1  # share of the side, either way
LIGHT: Final = 0.1  # of 0..255, either way
CONTRAST: Final = 0.15  # share, either way
SATURATION: Final = 0.2  # share, either way
TINT: Final = 0.06  # share of each channel, either way: the lamp's colour and the camera's white balance

_GREY: Final = (0.299, 0.587, 0.114)  # what red, green and blue add to brightness (ITU-R BT.601)


class _RandomLayer(keras.layers.Layer):  # type: ignore[misc]
    """A layer with a random generator."""

    def __init__(self, seed: int, **options: Any) -> None:
        super().__init__(**options)
        self.random = keras.random.SeedGenerator(seed)

    def _draw(self, shape: tuple[Any, ...], reach: float) -> Any:
        """Draw uniformly between -reach and reach."""
        return keras.random.uniform(shape, -reach, reach, seed=self.random)


class RandomPlace(_RandomLayer):
    """Turns, zooms, shifts and mirrors each picture at random. Pixels from outside are filled by reflection.

    All steps share one resampling. Keras has a layer for each step, but its layers resample and so blur a picture three
    times, and they took four times as long on a CPU.
    """

    def call(self, pictures: Any, training: bool = False) -> Any:
        """Transform a batch of shape (N, height, width, 3) in training. Otherwise it stays as it is."""
        if not training:
            return pictures
        count, height, width = ops.shape(pictures)[0], pictures.shape[1], pictures.shape[2]
        angle = self._draw((count,), math.tau * TURN)
        zoom = 1.0 + self._draw((count,), ZOOM)
        mirror = ops.where(self._draw((count,), 1.0) < 0, -1.0, 1.0)  # with a half turn, this also mirrors vertically
        cosine, sine = ops.cos(angle) * zoom, ops.sin(angle) * zoom
        across, down = cosine * mirror, sine * mirror
        # Maps each output pixel to its input pixel: shift back, then turn about the middle.
        middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
        back_x = -middle_x - self._draw((count,), SHIFT * width)
        back_y = -middle_y - self._draw((count,), SHIFT * height)
        left = across * back_x - sine * back_y + middle_x
        top = down * back_x + cosine * back_y + middle_y
        nothing = ops.zeros_like(angle)
        transform = ops.stack([across, -sine, left, down, cosine, top, nothing, nothing], axis=-1)
        return ops.image.affine_transform(
            pictures, transform, interpolation="bilinear", fill_mode="reflect", data_format="channels_last"
        )


class RandomLight(_RandomLayer):
    """Changes each picture's brightness, contrast, saturation and tint.

    All four are linear, so each picture needs one 3 x 3 matrix and one offset. Keras's layers took seven times as long,
    mostly to convert to hue and back. The tint is used here instead of a change of hue.
    """

    def call(self, pictures: Any, training: bool = False) -> Any:
        """Change a batch of RGB in 0..255, shape (N, height, width, 3), in training. Otherwise it stays as it is."""
        if not training:
            return pictures
        count = ops.shape(pictures)[0]
        saturation = 1.0 + self._draw((count, 1, 1), SATURATION)
        contrast = 1.0 + self._draw((count, 1, 1), CONTRAST)
        tint = 1.0 + self._draw((count, 1, 3), TINT)
        light = self._draw((count, 1, 1), 255.0 * LIGHT)
        grey = ops.reshape(ops.array(_GREY, "float32"), (1, 3, 1))
        colours = (saturation * ops.eye(3) + (1.0 - saturation) * grey) * tint  # pixel @ colours
        flat = ops.reshape(pictures, (count, -1, 3))
        mean = ops.mean(flat, axis=1, keepdims=True)
        relit = ops.matmul(flat - mean, colours * contrast) + ops.matmul(mean, colours) + light
        return ops.reshape(ops.clip(relit, 0.0, 255.0), ops.shape(pictures))


class Mix(keras.layers.Layer):  # type: ignore[misc]
    """Mixes two pictures, or their frozen features (mixup: Zhang et al. 2018, arXiv:1710.09412)."""

    def call(self, first: Any, second: Any, share: Any) -> Any:
        """Add `share` of the first and 1 - `share` of the second. Shapes (N, height, width, channels) and (N,)."""
        first, second = ops.cast(first, "float32"), ops.cast(second, "float32")
        return second + ops.reshape(share, (-1, 1, 1, 1)) * (first - second)


def build_augmentation(seed: int) -> keras.layers.Layer:
    """Build the layers that augment each picture at random in training, and change nothing outside training.

    They are part of the training model, so they run on the device. They compute in float32 whatever the precision of
    the backbone. The input is RGB in 0..255, shape (N, size, size, 3), and the output is float32.
    """
    return keras.Sequential(
        [
            keras.layers.Rescaling(1.0, dtype="float32"),  # uint8 to float32
            RandomPlace(seed, dtype="float32"),
            RandomLight(seed + 1, dtype="float32"),
        ],
        name="augmentation",
    )


def exact_views(pixels: np.ndarray, count: int) -> Iterator[np.ndarray]:
    """Yield views of a batch without interpolation: the original and its mirror image, each turned by quarters.

    The frozen stages see these views: their output is computed once, so it cannot change from epoch to epoch.

    Args:
        pixels: shape (N, size, size, 3).
        count: of views, 1 to 8; the first is `pixels`.
    """
    for view in range(count):
        quarters, mirrored = divmod(view, 2)
        turned: np.ndarray[Any, Any] = np.rot90(pixels, quarters, axes=(1, 2))
        yield turned[:, :, ::-1] if mirrored else turned
