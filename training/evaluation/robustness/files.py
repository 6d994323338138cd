"""The ways in which a picture is stored: formats, qualities, colour profiles and sizes. Each returns the file."""

import io
from typing import Any, Final

from PIL import Image

from training.colour_spaces import ColourSpace
from training.evaluation.robustness.profiles import convert_to, icc_profile

JPEG_QUALITY: Final = 92  # of a changed picture, unless the change is another quality


def save_jpeg(picture: Image.Image, quality: int = JPEG_QUALITY) -> bytes:
    """Save as JPEG, with the colour at half the resolution, as cameras do."""
    return _save(picture, "JPEG", quality=quality)


def save_png(picture: Image.Image) -> bytes:
    """Save as PNG."""
    return _save(picture, "PNG", compress_level=1)


def save_webp(picture: Image.Image) -> bytes:
    """Save as lossless WebP."""
    return _save(picture, "WEBP", lossless=True, quality=0, method=0, exact=True)


def save_in_space(picture: Image.Image, space: ColourSpace) -> bytes:
    """Convert to another colour space, and save as JPEG with its profile."""
    return _save(convert_to(space, picture), "JPEG", quality=JPEG_QUALITY, icc_profile=icc_profile(space))


def save_enlarged(picture: Image.Image, megapixels: float) -> bytes:
    """Enlarge to a number of megapixels, and save as JPEG."""
    factor = (megapixels * 1e6 / (picture.width * picture.height)) ** 0.5
    size = round(picture.width * factor), round(picture.height * factor)
    return save_jpeg(picture.resize(size, Image.Resampling.BICUBIC))


def _save(picture: Image.Image, format_name: str, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, format_name, **options)
    return file.getvalue()
