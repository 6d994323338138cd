"""Turns, zooms, shifts and mirrors pictures in one resampling, with operations that XLA compiles."""

import math
from typing import Any, Final

import keras
from keras import ops

from training.fitting.inputs.augmentation.random_layer import Draws, RandomLayer

TURN: Final = 0.5  # of a full turn, either way: a lesion has no top and bottom
ZOOM: Final = (0.85, 1.15)  # of the side, as far as the picture reaches
SHIFT: Final = 0.1  # share of the side, either way


class RandomPlace(RandomLayer):
    """Turns, zooms, shifts and mirrors each picture at random. Pixels from outside are filled by reflection.

    All steps share one resampling. Keras has a layer for each step, but its layers resample and so blur a picture three
    times.
    """

    def __init__(self, seed: int, zoom: tuple[float, float] = ZOOM, **options: Any) -> None:
        """Prepare the layer. `zoom` is the range of the side of the part that is shown, as a share of the side."""
        super().__init__(seed, **options)
        self.zoom = zoom

    def change(self, pictures: Any, draws: Draws) -> Any:
        """Draw an affine map for each picture."""
        height, width = pictures.shape[1:3]
        angle = draws.uniform(-math.tau * TURN, math.tau * TURN)
        zoom = draws.uniform(*self.zoom)
        mirror = ops.where(draws.uniform(-1.0, 1.0) < 0, -1.0, 1.0)  # with a half turn, also vertically
        cosine, sine = ops.cos(angle) * zoom, ops.sin(angle) * zoom
        across, down = cosine * mirror, sine * mirror
        # Maps each output pixel to its input pixel: shift back, then turn about the middle.
        middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
        back_x = -middle_x - draws.uniform(-SHIFT * width, SHIFT * width)
        back_y = -middle_y - draws.uniform(-SHIFT * height, SHIFT * height)
        left = across * back_x - sine * back_y + middle_x
        top = down * back_x + cosine * back_y + middle_y
        return resample(pictures, ops.stack([across, -sine, left, down, cosine, top], axis=-1))


def resample(pictures: Any, transforms: Any) -> Any:
    """Apply an affine map to each picture: bilinear interpolation, and reflection outside.

    It gives what `keras.ops.image.affine_transform` gives. That function cannot be part of a step that XLA compiles:
    on TensorFlow it calls an operation without an XLA kernel (tensorflow/tensorflow#100865).

    Args:
        pictures: float32, shape (N, height, width, channels), at least 2 pixels high and wide.
        transforms: shape (N, 6): a, b, c, d, e, f. The output pixel at (x, y) is read from the input at
            (a x + b y + c, d x + e y + f).

    Returns:
        the same shape.
    """
    height, width, channels = pictures.shape[1:]
    x = ops.reshape(ops.arange(width, dtype="float32"), (1, 1, width))
    y = ops.reshape(ops.arange(height, dtype="float32"), (1, height, 1))
    a, b, c, d, e, f = (ops.reshape(transforms[:, index], (-1, 1, 1)) for index in range(6))
    from_x, from_y = _reflect(a * x + b * y + c, width), _reflect(d * x + e * y + f, height)
    left, top = ops.minimum(ops.floor(from_x), width - 2.0), ops.minimum(ops.floor(from_y), height - 2.0)
    share_x, share_y = ops.expand_dims(from_x - left, -1), ops.expand_dims(from_y - top, -1)
    index = ops.cast(top, "int32") * width + ops.cast(left, "int32")
    flat = ops.reshape(pictures, (-1, height * width, channels))
    upper_left, upper_right, lower_left, lower_right = (
        _read(flat, index + offset) for offset in (0, 1, width, width + 1)
    )
    upper = upper_left + share_x * (upper_right - upper_left)
    lower = lower_left + share_x * (lower_right - lower_left)
    return upper + share_y * (lower - upper)


def _reflect(place: Any, length: int) -> Any:
    """Map places outside the picture into it: its mirror image continues it (d c b a, a b c d, d c b a)."""
    within = ops.mod(place, 2.0 * length)
    return ops.clip(ops.minimum(within, 2.0 * length - 1.0 - within), 0.0, length - 1.0)


def _read(flat: Any, index: Any) -> Any:
    """Read the pixels at `index`, shape (N, height, width), from pictures of shape (N, height * width, channels)."""
    shape = (-1, *index.shape[1:], flat.shape[2])
    if keras.backend.backend() == "jax":  # several devices each read from their own pictures only
        return ops.reshape(ops.take_along_axis(flat, ops.reshape(index, (-1, flat.shape[1], 1)), axis=1), shape)
    # On TensorFlow, one gather over the whole batch takes less than half as long.
    first = ops.reshape(ops.arange(ops.shape(flat)[0]) * flat.shape[1], (-1, 1, 1))
    return ops.take(ops.reshape(flat, (-1, flat.shape[2])), index + first, axis=0)
