"""Changes brightness, contrast, saturation and tint a little, as from one picture of a data set to the next."""

from typing import Any, Final

from keras import ops

from contract.exposure import LUMA
from training.fitting.inputs.augmentation.random_layer import Draws, RandomLayer

LIGHT: Final = 0.1  # of 0..255, either way
CONTRAST: Final = 0.15  # share, either way
SATURATION: Final = 0.2  # share, either way
TINT: Final = 0.06  # share of each channel, either way: the lamp's colour and the camera's white balance


class RandomLight(RandomLayer):
    """Changes each picture's brightness, contrast, saturation and tint.

    All four are linear, so each picture needs one 3 x 3 matrix and one offset. Keras's layers took seven times as long,
    mostly to convert to hue and back. The tint is used here instead of a change of hue.
    """

    def change(self, pictures: Any, draws: Draws) -> Any:
        """Draw a matrix and an offset for each picture."""
        count = ops.shape(pictures)[0]
        saturation = draws.uniform(1.0 - SATURATION, 1.0 + SATURATION, 1, 1)
        contrast = draws.uniform(1.0 - CONTRAST, 1.0 + CONTRAST, 1, 1)
        tint = draws.uniform(1.0 - TINT, 1.0 + TINT, 1, 3)
        light = draws.uniform(-255.0 * LIGHT, 255.0 * LIGHT, 1, 1)
        grey = ops.reshape(ops.array(LUMA, "float32"), (1, 3, 1))
        colours = (saturation * ops.eye(3) + (1.0 - saturation) * grey) * tint  # pixel @ colours
        flat = ops.reshape(pictures, (count, -1, 3))
        mean = ops.mean(flat, axis=1, keepdims=True)
        relit = ops.matmul(flat - mean, colours * contrast) + ops.matmul(mean, colours) + light
        return ops.reshape(ops.clip(relit, 0.0, 255.0), ops.shape(pictures))
