"""Changes that a camera or a dermoscope makes: borders, frames, exposure, colour of the light, and blur.

Each function takes and returns a PIL picture in RGB of the same size. Lengths are shares of the shorter side.
"""

from typing import Final

import numpy as np
from PIL import Image, ImageFilter

SOFT_EDGE: Final = 12 / 450  # width of the edge of a dermoscope's circle
NEAR_BLACK: Final = 5.0  # 0..255: the inside of a tube is not quite black
FRAME: Final = 0.08  # width of the frame of a slide, or of the margin of a screenshot

Gains = tuple[float, float, float]  # of red, green and blue

# Of the stored values, under a lamp that the white balance of the camera fits only partly. Chosen by eye.
WARM: Final[Gains] = (1.1, 1.0, 0.8)
COOL: Final[Gains] = (0.88, 1.0, 1.12)


def draw_circular_border(picture: Image.Image, diameter: float, colour: float = NEAR_BLACK) -> Image.Image:
    """Cover everything outside a circle in the middle, as the tube of a dermoscope does.

    Args:
        picture: to change.
        diameter: of the circle, times the shorter side; above 1 only the corners are covered.
        colour: of the border: grey, 0..255.
    """
    pixels = np.asarray(picture, np.float32)
    height, width = pixels.shape[:2]
    short_side = min(height, width)
    down, across = np.ogrid[:height, :width]
    distance = np.hypot(down - (height - 1) / 2, across - (width - 1) / 2)
    inside = np.clip((diameter * short_side / 2 - distance) / (SOFT_EDGE * short_side) + 0.5, 0, 1)[..., None]
    return _to_picture(pixels * inside + colour * (1 - inside))


def draw_frame(picture: Image.Image, colour: float) -> Image.Image:
    """Shrink the picture into a frame of one grey (0..255), such as that of a slide or of a screenshot."""
    width, height = picture.size
    margin = round(FRAME * min(width, height))
    framed = Image.new("RGB", picture.size, (int(colour),) * 3)
    inner = picture.resize((width - 2 * margin, height - 2 * margin), Image.Resampling.BICUBIC)
    framed.paste(inner, (margin, margin))
    return framed


def expose(picture: Image.Image, gain: float) -> Image.Image:
    """Multiply the stored values, which are gamma-encoded; above 255 they are clipped."""
    return multiply_channels(picture, (gain, gain, gain))


def multiply_channels(picture: Image.Image, gains: Gains) -> Image.Image:
    """Multiply each channel by its gain, with clipping."""
    return _to_picture(np.asarray(picture, np.float32) * np.array(gains, np.float32))


def apply_gamma(picture: Image.Image, exponent: float) -> Image.Image:
    """Raise the values, from 0 to 1, to a power: below 1 the picture becomes lighter, above 1 darker."""
    curve = 255 * (np.arange(256) / 255) ** exponent
    return picture.point([round(value) for value in curve] * 3)


def blur(picture: Image.Image, sigma: float) -> Image.Image:
    """Blur with a Gaussian whose standard deviation is a share of the shorter side."""
    return picture.filter(ImageFilter.GaussianBlur(sigma * min(picture.size)))


def _to_picture(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(np.clip(pixels + 0.5, 0, 255).astype(np.uint8))
