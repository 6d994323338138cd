"""The same lesion in other ways: moved, mirrored and relit, so that the network learns what does not change it."""

import math
from collections.abc import Iterator
from typing import Any, Final

import keras
import numpy as np
from keras import ops

TURN: Final = 0.5  # of a full turn, either way: a lesion has no upright
ZOOM: Final = 0.15  # share of the side, either way
SHIFT: Final = 0.1  # share of the side, either way
LIGHT: Final = 0.1  # of 0..255, either way
CONTRAST: Final = 0.15  # share, either way
SATURATION: Final = 0.2  # share, either way
TINT: Final = 0.06  # share of each channel, either way: the lamp's colour and the camera's white balance

_GREY: Final = (0.299, 0.587, 0.114)  # what red, green and blue add to brightness (ITU-R BT.601)


class RandomPlace(keras.layers.Layer):  # type: ignore[misc]
    """Turns, zooms, shifts and mirrors each picture in its own way; what comes into sight mirrors what was there.

    In one resampling. Keras has a layer for each of these; in a row they blur a picture three times over, and took
    four times as long on a CPU.
    """

    def __init__(self, seed: int, **options: Any) -> None:
        super().__init__(**options)
        self.random = keras.random.SeedGenerator(seed)

    def call(self, pictures: Any, training: bool = False) -> Any:
        """Place a batch of shape (N, height, width, 3) anew in training, and pass it on otherwise."""
        if not training:
            return pictures
        count, height, width = ops.shape(pictures)[0], pictures.shape[1], pictures.shape[2]
        angle = self._draw(count, math.tau * TURN)
        zoom = 1.0 + self._draw(count, ZOOM)
        mirror = ops.where(self._draw(count, 1.0) < 0, -1.0, 1.0)  # a half turn more makes it a mirror upside down
        cosine, sine = ops.cos(angle) * zoom, ops.sin(angle) * zoom
        across, down = cosine * mirror, sine * mirror
        # From where a pixel is seen to where it was: shifted back, then turned about the middle.
        middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
        back_x = -middle_x - self._draw(count, SHIFT * width)
        back_y = -middle_y - self._draw(count, SHIFT * height)
        left = across * back_x - sine * back_y + middle_x
        top = down * back_x + cosine * back_y + middle_y
        nothing = ops.zeros_like(angle)
        transform = ops.stack([across, -sine, left, down, cosine, top, nothing, nothing], axis=-1)
        return ops.image.affine_transform(
            pictures, transform, interpolation="bilinear", fill_mode="reflect", data_format="channels_last"
        )

    def _draw(self, count: Any, reach: float) -> Any:
        return keras.random.uniform((count,), -reach, reach, seed=self.random)


class RandomLight(keras.layers.Layer):  # type: ignore[misc]
    """Changes each picture's brightness, contrast, saturation and tint.

    All four are linear, so they are one 3 x 3 matrix and one offset for each picture. Keras has a layer for each; they
    took seven times as long, most of it on the way to hue and back, for which the tint stands here.
    """

    def __init__(self, seed: int, **options: Any) -> None:
        super().__init__(**options)
        self.random = keras.random.SeedGenerator(seed)

    def call(self, pictures: Any, training: bool = False) -> Any:
        """Relight a batch of RGB in 0..255, shape (N, height, width, 3), in training, and pass it on otherwise."""
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

    def _draw(self, shape: tuple[Any, ...], reach: float) -> Any:
        return keras.random.uniform(shape, -reach, reach, seed=self.random)


class Mix(keras.layers.Layer):  # type: ignore[misc]
    """Lays two pictures, or what a frozen stage makes of them, over each other (mixup: arXiv:1710.09412)."""

    def call(self, first: Any, second: Any, share: Any) -> Any:
        """Take `share` of the first and the rest of the second; shapes (N, height, width, channels) and (N,)."""
        first, second = ops.cast(first, "float32"), ops.cast(second, "float32")
        return second + ops.reshape(share, (-1, 1, 1, 1)) * (first - second)


def build_augmentation(seed: int) -> keras.layers.Layer:
    """Build layers that change a batch of pixels in training, each picture in its own way, and pass it on otherwise.

    They are part of the trained model, and so run on the device, in float32 whatever the precision of the rest. Pixels
    are RGB in 0..255, shape (N, size, size, 3); what comes out is float32.
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
    """Yield up to eight views of a batch that need no interpolation: as it is, mirrored, and both turned by quarters.

    They are what a frozen stage is shown, since its output is computed once and a random view would be new each epoch.

    Args:
        pixels: shape (N, size, size, 3).
        count: of views, 1 to 8; the first is `pixels`.
    """
    for view in range(count):
        quarters, mirrored = divmod(view, 2)
        turned: np.ndarray[Any, Any] = np.rot90(pixels, quarters, axes=(1, 2))
        yield turned[:, :, ::-1] if mirrored else turned
