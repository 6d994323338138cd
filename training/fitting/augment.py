"""The same lesion in other ways: turned, mirrored and relit, so that the network learns what does not change it."""

from collections.abc import Iterator
from typing import Any, Final

import keras
import numpy as np

TURN: Final = 0.5  # of a full turn, either way: a lesion has no upright
ZOOM: Final = 0.15  # share of the side, either way
LIGHT: Final = 0.1  # of 0..255, either way
CONTRAST: Final = 0.15  # share, either way


def build_augmentation(seed: int) -> keras.layers.Layer:
    """Build layers that change a batch of pixels in training, each picture in its own way, and pass it on otherwise.

    They are part of the trained model, and so run on the device. Pixels are RGB in 0..255, shape (N, size, size, 3);
    what comes out is float32.
    """
    return keras.Sequential(
        [
            keras.layers.Rescaling(1.0),  # uint8 to float32
            keras.layers.RandomFlip("horizontal_and_vertical", seed=seed),
            keras.layers.RandomRotation(TURN, fill_mode="reflect", seed=seed + 1),
            keras.layers.RandomZoom(ZOOM, fill_mode="reflect", seed=seed + 2),
            keras.layers.RandomBrightness(LIGHT, value_range=(0, 255), seed=seed + 3),
            keras.layers.RandomContrast(CONTRAST, value_range=(0, 255), seed=seed + 4),
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
