"""How each change is made, by its name in `names.py`: from a picture to the file that is sent.

The picture is upright, RGB, and its shorter side has CANVAS_PX: see `to_canvas`.
"""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from PIL import Image

from training.colour_spaces import ADOBE_RGB, DISPLAY_P3
from training.evaluation.robustness.drawings import draw_date, draw_hairs, draw_ink, draw_ruler, draw_scale
from training.evaluation.robustness.files import save_enlarged, save_in_space, save_jpeg, save_png, save_webp
from training.evaluation.robustness.names import NOISE_FLOOR
from training.evaluation.robustness.optics import (
    COOL,
    WARM,
    apply_gamma,
    blur,
    draw_circular_border,
    draw_frame,
    expose,
    multiply_channels,
)

CANVAS_PX: Final = 450  # the shorter side of HAM10000's pictures as they were published
MAX_ASPECT: Final = 3  # longer by shorter side: a long strip would become a huge picture
BLUR: Final = 7 / 450  # standard deviation, times the shorter side
BLACK: Final = 8.0  # of a frame, 0..255
WHITE: Final = 255.0

Make = Callable[[Image.Image, np.random.Generator], bytes]


def _edited(edit: Callable[..., Image.Image], **options: Any) -> Make:
    return lambda picture, _: save_jpeg(edit(picture, **options))


def _drawn(draw: Callable[[Image.Image, np.random.Generator], Image.Image], *, sigma: float = 0) -> Make:
    """Blur if asked, then draw something random on top."""
    return lambda picture, random: save_jpeg(draw(blur(picture, sigma) if sigma else picture, random))


def _stored(save: Callable[..., bytes], **options: Any) -> Make:
    return lambda picture, _: save(picture, **options)


CHANGES: Final[dict[str, Make]] = {
    "dark_circle_1.25": _edited(draw_circular_border, diameter=1.25),
    "dark_circle_1.1": _edited(draw_circular_border, diameter=1.1),
    "dark_circle_1.0": _edited(draw_circular_border, diameter=1.0),
    "dark_circle_0.9": _edited(draw_circular_border, diameter=0.9),
    "dark_circle_0.8": _edited(draw_circular_border, diameter=0.8),
    "white_circle_1.0": _edited(draw_circular_border, diameter=1.0, colour=WHITE),
    "dark_frame": _edited(draw_frame, colour=BLACK),
    "white_frame": _edited(draw_frame, colour=WHITE),
    "light_0.7": _edited(expose, gain=0.7),
    "light_0.5": _edited(expose, gain=0.5),
    "light_0.4": _edited(expose, gain=0.4),
    "light_1.3": _edited(expose, gain=1.3),
    "gamma_0.7": _edited(apply_gamma, exponent=0.7),
    "gamma_1.5": _edited(apply_gamma, exponent=1.5),
    "warm_lamp": _edited(multiply_channels, gains=WARM),
    "cool_lamp": _edited(multiply_channels, gains=COOL),
    "display_p3": _stored(save_in_space, space=DISPLAY_P3),
    "adobe_rgb": _stored(save_in_space, space=ADOBE_RGB),
    "ink": _drawn(draw_ink),
    "ruler": _drawn(draw_ruler),
    "scale": _drawn(draw_scale),
    "hairs": _drawn(draw_hairs),
    "blur": _edited(blur, sigma=BLUR),
    "blur_date": _drawn(draw_date, sigma=BLUR),
    "blur_scale": _drawn(draw_scale, sigma=BLUR),
    "turned_90": _edited(Image.Image.transpose, method=Image.Transpose.ROTATE_90),
    "turned_180": _edited(Image.Image.transpose, method=Image.Transpose.ROTATE_180),
    "turned_270": _edited(Image.Image.transpose, method=Image.Transpose.ROTATE_270),
    "mirrored": _edited(Image.Image.transpose, method=Image.Transpose.FLIP_LEFT_RIGHT),
    NOISE_FLOOR: _stored(save_jpeg),
    "jpeg_50": _stored(save_jpeg, quality=50),
    "png": _stored(save_png),
    "webp": _stored(save_webp),
    "megapixels_12": _stored(save_enlarged, megapixels=12),
    "megapixels_24": _stored(save_enlarged, megapixels=24),
}


def to_canvas(picture: Image.Image) -> Image.Image:
    """Scale a picture so that its shorter side has CANVAS_PX: then each change has the same strength in all.

    Of a strip, the middle part is kept: the model sees only the centre square.
    """
    short_side = min(picture.size)
    width, height = (min(side, MAX_ASPECT * short_side) for side in picture.size)
    left, top = (picture.width - width) // 2, (picture.height - height) // 2
    factor = CANVAS_PX / short_side
    size = round(width * factor), round(height * factor)
    return picture.resize(size, Image.Resampling.BICUBIC, box=(left, top, left + width, top + height))
