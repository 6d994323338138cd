"""Takes detail away: blur, as out of focus, and the loss from a picture that was made smaller and larger again."""

from typing import Any, Final

from keras import ops

from training.fitting.inputs.augmentation.changes import BLUR, DETAIL
from training.fitting.inputs.augmentation.random_layer import Draws, RandomLayer

_NO_BLUR: Final = 0.05  # pixels: a Gaussian that leaves a picture exactly as it is


class RandomDetail(RandomLayer):
    """Blurs each picture, and reduces and enlarges it. Both are one matrix for its rows and one for its columns."""

    def change(self, pictures: Any, draws: Draws) -> Any:
        """Apply the matrices, of shape (N, height, height) and (N, width, width)."""
        count, (height, width) = ops.shape(pictures)[0], pictures.shape[1:3]
        sigma = draws.uniform(*BLUR.ranges["sigma"]) * min(height, width)
        sigma = ops.where(draws.chosen(BLUR.probability), sigma, 0.0)
        factor = draws.uniform(*DETAIL.ranges["factor of the reduction"])
        factor = ops.where(draws.chosen(DETAIL.probability), factor, 1.0)
        down = smoothing(height, sigma, factor)
        across = down if height == width else smoothing(width, sigma, factor)
        rows = ops.matmul(down, ops.reshape(pictures, (count, height, width * 3)))
        turned = ops.transpose(ops.reshape(rows, (count, height, width, 3)), (0, 2, 1, 3))
        columns = ops.matmul(across, ops.reshape(turned, (count, width, height * 3)))
        return ops.transpose(ops.reshape(columns, (count, width, height, 3)), (0, 2, 1, 3))


def smoothing(length: int, sigma: Any, factor: Any) -> Any:
    """Return the matrices that blur a line of pixels, reduce it by a factor and enlarge it linearly.

    Before a reduction, a Gaussian of (factor - 1) / 2 pixels removes what is too fine for it, as in scikit-image's
    `resize`. Here it has at least half a pixel, because it also reads between the pixels.

    Args:
        length: of the line, in pixels.
        sigma: of the Gaussian blur, in pixels, shape (N,).
        factor: 1 and more, shape (N,).

    Returns:
        shape (N, length, length). With sigma 0 and factor 1, the identity.
    """
    before_reduction = ops.where(factor > 1.0, ops.maximum((factor - 1.0) / 2, 0.5), 0.0)
    width = ops.maximum(ops.sqrt(ops.square(sigma) + ops.square(before_reduction)), _NO_BLUR)
    factor, width = ops.reshape(factor, (-1, 1, 1)), ops.reshape(width, (-1, 1, 1))
    line = ops.arange(length, dtype="float32")
    row, column = ops.reshape(line, (1, 1, length)), ops.reshape(line, (1, length, 1))
    # Pixel k of the reduced line lies at (k + 0.5) * factor - 0.5. Those beyond the end repeat the last pixel.
    reduce = ops.exp(-0.5 * ops.square((row - ops.minimum((column + 0.5) * factor - 0.5, length - 1.0)) / width))
    enlarge = ops.maximum(1.0 - ops.abs(column - ((row + 0.5) * factor - 0.5)) / factor, 0.0)
    reduce = reduce / ops.sum(reduce, axis=-1, keepdims=True)
    return ops.matmul(enlarge / ops.sum(enlarge, axis=-1, keepdims=True), reduce)
