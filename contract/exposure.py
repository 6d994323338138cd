"""Brightens underexposed pictures, so that the same lesion gets the same answer in less light.

docs/decisions/exposure.md has the measurements.
"""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np

# A picture is as bright as its 90th percentile of luma: the skin in light, whatever the size of a dark lesion.
PERCENTILE: Final = 90
TARGET_BRIGHTNESS: Final = 182.0  # 0..255; the median of the pictures of HAM10000
MAX_GAIN: Final = 4.0  # more would mostly brighten noise

LUMA: Final = (0.299, 0.587, 0.114)  # share of red, green and blue (ITU-R BT.601)
_STEP: Final = 2  # every second pixel of every second row is enough for a percentile


def measure_brightness(pixels: "np.ndarray") -> float:
    """Measure how bright a picture is, 0..255.

    Args:
        pixels: RGB, uint8, shape (size, size, 3).
    """
    import numpy as np

    luma = pixels[::_STEP, ::_STEP].astype(np.float32) @ np.array(LUMA, np.float32)
    place = int(PERCENTILE / 100 * (luma.size - 1))
    return float(np.partition(luma.ravel(), place)[place])


def exposure_gain(brightness: float) -> float:
    """Return the factor that brings a darker picture to TARGET_BRIGHTNESS: 1..MAX_GAIN."""
    return min(max(TARGET_BRIGHTNESS / max(brightness, 1.0), 1.0), MAX_GAIN)


def correct_exposure(pixels: "np.ndarray", brightness: float) -> "np.ndarray":
    """Multiply the pixels of a dark picture by its gain.

    Args:
        pixels: RGB, uint8, any shape.
        brightness: of the picture, from `measure_brightness`.

    Returns:
        uint8 of the same shape; `pixels` itself if it is bright enough.
    """
    import numpy as np

    gain = exposure_gain(brightness)
    if gain == 1.0:
        return pixels
    table = np.minimum(np.arange(256) * gain + 0.5, 255).astype(np.uint8)
    return np.asarray(table[pixels])
