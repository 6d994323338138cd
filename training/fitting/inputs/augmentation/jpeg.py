"""Changes pictures as JPEG does: colour at half the size, and rounded coefficients of 8 x 8 blocks."""

from typing import Any, Final

import numpy as np
from keras import ops

from training.fitting.inputs.augmentation.changes import JPEG
from training.fitting.inputs.augmentation.random_layer import Draws, RandomLayer

_BLOCK: Final = 8  # pixels

# ITU-T T.81 (1992), annex K.1: the steps for brightness and for colour at quality 50.
_LUMINANCE: Final = np.array([
    [16, 11, 10, 16, 24, 40, 51, 61],
    [12, 12, 14, 19, 26, 58, 60, 55],
    [14, 13, 16, 24, 40, 57, 69, 56],
    [14, 17, 22, 29, 51, 87, 80, 62],
    [18, 22, 37, 56, 68, 109, 103, 77],
    [24, 35, 55, 64, 81, 104, 113, 92],
    [49, 64, 78, 87, 103, 121, 120, 101],
    [72, 92, 95, 98, 112, 100, 103, 99],
])  # fmt: skip
_CHROMINANCE: Final = np.array([
    [17, 18, 24, 47, 99, 99, 99, 99],
    [18, 21, 26, 66, 99, 99, 99, 99],
    [24, 26, 56, 99, 99, 99, 99, 99],
    [47, 66, 99, 99, 99, 99, 99, 99],
    *([99] * 8 for _ in range(4)),
])  # fmt: skip

# From RGB to brightness and two differences of colour (ITU-T T.871): pixel @ matrix.
_TO_YCC: Final = np.array([[0.299, -0.168736, 0.5], [0.587, -0.331264, -0.418688], [0.114, 0.5, -0.081312]])


class RandomJpeg(RandomLayer):
    """Compresses and decompresses some pictures."""

    def change(self, pictures: Any, draws: Draws) -> Any:
        """Draw a quality for each picture, and compress the chosen ones."""
        quality = draws.uniform(*JPEG.ranges["quality"])
        chosen = draws.chosen(JPEG.probability, 1, 1, 1)
        return ops.where(chosen, compress(pictures, quality), pictures)


def compress(pictures: Any, quality: Any) -> Any:
    """Return what a baseline JPEG with 4:2:0 colour keeps of pictures, with the tables of libjpeg.

    The entropy coding loses nothing, so it is left out. Colour is enlarged by repetition; libjpeg's default is a little
    smoother.

    Args:
        pictures: RGB in 0..255, shape (N, height, width, 3).
        quality: 50 to 100 by libjpeg's scale, or 1 to 50, shape (N,).
    """
    height, width = pictures.shape[1:3]
    # The last pixels are repeated up to whole blocks of colour.
    rows, columns = (ops.convert_to_tensor(_padded(length), "int32") for length in (height, width))
    padded = ops.take(ops.take(pictures, rows, axis=1), columns, axis=2) if _misfits(height, width) else pictures
    ycc = ops.matmul(padded, ops.convert_to_tensor(_TO_YCC, "float32"))
    scale = ops.where(quality < 50.0, 50.0 / quality, 2.0 - quality / 50.0)
    brightness = _round_coefficients(ycc[..., :1] - 128.0, scale, _LUMINANCE) + 128.0
    tall, wide = ycc.shape[1] // 2, ycc.shape[2] // 2
    colour = ops.mean(ops.reshape(ycc[..., 1:], (-1, tall, 2, wide, 2, 2)), axis=(2, 4))
    colour = _round_coefficients(colour, scale, _CHROMINANCE)
    colour = ops.repeat(ops.repeat(colour, 2, axis=1), 2, axis=2)
    rgb = ops.matmul(
        ops.concatenate([brightness, colour], axis=-1), ops.convert_to_tensor(np.linalg.inv(_TO_YCC), "float32")
    )
    return ops.clip(ops.round(rgb[:, :height, :width]), 0.0, 255.0)


def _misfits(*lengths: int) -> bool:
    return any(length % (2 * _BLOCK) for length in lengths)


def _padded(length: int) -> np.ndarray:
    """Return the indices of a line of pixels and, up to a multiple of two blocks, its last one again."""
    return np.minimum(np.arange(-(-length // (2 * _BLOCK)) * 2 * _BLOCK), length - 1)


def _round_coefficients(planes: Any, scale: Any, steps: np.ndarray) -> Any:
    """Round the cosine coefficients of each block to multiples of its steps. Shape (N, height, width, planes)."""
    height, width, depth = planes.shape[1:]
    tall, wide = height // _BLOCK, width // _BLOCK
    blocks = ops.reshape(planes, (-1, tall, _BLOCK, wide, _BLOCK, depth))
    blocks = ops.reshape(ops.transpose(blocks, (0, 1, 3, 5, 2, 4)), (-1, tall * wide * depth, _BLOCK * _BLOCK))
    cosines = ops.convert_to_tensor(_cosines(), "float32")
    table = ops.reshape(ops.convert_to_tensor(steps, "float32"), (1, 1, -1))
    table = ops.clip(ops.floor(table * ops.reshape(scale, (-1, 1, 1)) + 0.5), 1.0, 255.0)
    rounded = ops.round(ops.matmul(blocks, cosines) / table) * table
    blocks = ops.reshape(ops.matmul(rounded, ops.transpose(cosines)), (-1, tall, wide, depth, _BLOCK, _BLOCK))
    return ops.reshape(ops.transpose(blocks, (0, 1, 4, 2, 5, 3)), (-1, height, width, depth))


def _cosines() -> np.ndarray:
    """Return the two-dimensional cosine transform of a block: 64 pixels @ (64, 64) gives 64 coefficients."""
    place, wave = np.arange(_BLOCK), np.arange(_BLOCK)[:, None]
    line = np.cos((2 * place + 1) * wave * np.pi / (2 * _BLOCK)) * np.sqrt(2 / _BLOCK)
    line[0] /= np.sqrt(2)
    return np.kron(line, line).T
