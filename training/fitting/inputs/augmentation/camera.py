"""Changes light and colour as a camera does: exposure, tone curve, colour temperature, ignored colour profile.

All but the tone curve are one 3 x 3 matrix on linear light. Approximations save time: linear light is the square of the
encoded value (sRGB: about its power 2.2), and Schlick's bias stands for a power (Graphics Gems IV, 1994, page 401).
"""

from typing import Any

import numpy as np
from keras import ops

from training.colour_spaces import ADOBE_RGB, DISPLAY_P3, SRGB, ColourSpace
from training.fitting.inputs.augmentation.changes import EXPOSURE, GAMMA, LAMP, PROFILE
from training.fitting.inputs.augmentation.random_layer import Draws, RandomLayer


class RandomCamera(RandomLayer):
    """Changes the exposure, the tone curve, the colour temperature and the colour space of each picture."""

    def change(self, pictures: Any, draws: Draws) -> Any:
        """Compute in linear light, and clip what is brighter than white."""
        count = ops.shape(pictures)[0]
        gain = draws.logarithmic(*EXPOSURE.ranges["gain, in logarithms"], 1, 1)
        gain = ops.where(draws.chosen(EXPOSURE.probability, 1, 1), gain, 1.0)
        gamma = draws.logarithmic(*GAMMA.ranges["exponent, in logarithms"], 1, 1)
        gamma = ops.where(draws.chosen(GAMMA.probability, 1, 1), gamma, 1.0)
        low, high = LAMP.ranges["kelvin, uniform in 1/kelvin"]
        lamp = lamp_gains(1.0 / draws.uniform(1.0 / high, 1.0 / low))
        lamp = ops.where(draws.chosen(LAMP.probability, 1), lamp, 1.0)
        share = draws.uniform(*PROFILE.ranges["share of Display P3 or Adobe RGB"], 1, 1)
        share = ops.where(draws.chosen(PROFILE.probability, 1, 1), share, 0.0)
        adobe = draws.uniform(0.0, 1.0, 1, 1) < 0.5
        profile = ops.where(adobe, ignored_profile(ADOBE_RGB), ignored_profile(DISPLAY_P3))
        matrix = ops.eye(3) + share * (profile - ops.eye(3))
        matrix = ops.square(gain) * ops.expand_dims(lamp, -1) * matrix  # pixel @ matrix
        linear = ops.square(ops.reshape(pictures, (count, -1, 3)) / 255.0)
        encoded = ops.sqrt(ops.clip(ops.matmul(linear, matrix), 0.0, 1.0))
        bias = 2.0**gamma - 2.0  # 1 / 0.5**gamma - 2: both curves meet at 0.5
        encoded = 255.0 * encoded / (1.0 + bias * (1.0 - encoded))
        return ops.reshape(encoded, ops.shape(pictures))


def lamp_gains(kelvin: Any) -> Any:
    """Return the gain of red, green and blue under a lamp, if the camera's white stays that of daylight (D65).

    The lamp is a black body. Its chromaticity is the cubic approximation of Kang et al. 2002 (Journal of the Korean
    Physical Society 41(6), 865-871), for 2,222 to 25,000 K. The luminance of a grey picture stays the same.

    Args:
        kelvin: shape (N,).

    Returns:
        for linear light, shape (N, 3).
    """
    t = 1000.0 / kelvin
    warm = kelvin < 4000.0
    x = ops.where(
        warm,
        ((-0.2661239 * t - 0.2343589) * t + 0.8776956) * t + 0.179910,
        ((-3.0258469 * t + 2.1070379) * t + 0.2226347) * t + 0.240390,
    )
    y = ops.where(
        warm,
        ((-0.9549476 * x - 1.37418593) * x + 2.09137015) * x - 0.16748867,
        ((3.0817580 * x - 5.87338670) * x + 3.75112997) * x - 0.37001483,
    )
    xyz = ops.stack([x / y, ops.ones_like(x), (1.0 - x - y) / y], axis=-1)
    return ops.maximum(ops.matmul(xyz, ops.convert_to_tensor(np.linalg.inv(SRGB.to_xyz()).T, "float32")), 0.0)


def ignored_profile(space: ColourSpace) -> Any:
    """Return what happens to linear sRGB if it is stored in another colour space and that is ignored: pixel @ matrix.

    A wider space stores smaller differences between the channels, so the picture looks paler.
    """
    return ops.convert_to_tensor((np.linalg.inv(space.to_xyz()) @ SRGB.to_xyz()).T, "float32")
