"""Reduces decoded pixels by whole factors, and brings every mode of Pillow to RGB (or CMYK) with 8 bits, over white.

A picture of 50 megapixels is reduced in strips, so that there is never a second copy of all its pixels.
"""

from typing import Final

from PIL import Image
from PIL.ImageFile import ImageFile

MAX_ASPECT: Final = 4  # only the middle of a longer strip can be in the centre square
STRIP_PIXELS: Final = 1_000_000  # a large picture is reduced in strips, so that it is never in memory twice


def middle_of(picture: Image.Image) -> tuple[int, int, int, int]:
    """Return the box around the middle of a picture that is at most MAX_ASPECT times as long as wide."""
    longest = MAX_ASPECT * min(picture.size)
    left, top = (max(0, (side - longest) // 2) for side in picture.size)
    return left, top, picture.width - left, picture.height - top


def reduce_over_white(
    picture: ImageFile, factors: tuple[int, int], box: tuple[int, int, int, int], *, keep_ink: bool
) -> Image.Image:
    """Average blocks of `factors` pixels in a box of the picture, over white: RGB, or CMYK with `keep_ink`."""
    left, top, right, bottom = box
    rows = max(1, STRIP_PIXELS // (right - left) // factors[1]) * factors[1]
    if bottom - top <= rows:
        whole = picture if box == (0, 0, *picture.size) else picture.crop(box)
        return _reduced_strip(whole, factors, keep_ink=keep_ink)
    strips = (picture.crop((left, y, right, min(y + rows, bottom))) for y in range(top, bottom, rows))
    size = (-(-(right - left) // factors[0]), -(-(bottom - top) // factors[1]))
    reduced = Image.new("CMYK" if keep_ink and picture.mode == "CMYK" else "RGB", size)
    for number, strip in enumerate(strips):
        reduced.paste(_reduced_strip(strip, factors, keep_ink=keep_ink), (0, number * rows // factors[1]))
    return reduced


def _reduced_strip(strip: Image.Image, factors: tuple[int, int], *, keep_ink: bool) -> Image.Image:
    if strip.mode == "I;16":  # Pillow would clip it at 255
        key = strip.info.get("transparency")
        strip = strip.point(lambda value: value * (1 / 256)).convert("L")
        if key is not None:
            strip.info["transparency"] = key
    if strip.mode != "CMYK" or not keep_ink:
        strip = strip.convert("RGBA" if strip.has_transparency_data else "RGB")
    if factors != (1, 1):
        strip = strip.reduce(factors)
    return _over_white(strip)


def scale_transparency(picture: ImageFile) -> None:
    """Scale the transparent grey or colour of a PNG of any depth to the depth of the decoded pixels.

    Pillow compares them with the unscaled number in the file.
    """
    key = picture.info.get("transparency")
    rawmode = picture.tile[0].args if picture.tile else None
    if key is None:
        return
    if rawmode == "L;2":
        picture.info["transparency"] = key * 85
    elif rawmode == "L;4":
        picture.info["transparency"] = key * 17
    elif rawmode == "RGB;16B":
        picture.info["transparency"] = tuple(channel >> 8 for channel in key)
    elif rawmode == "I;16B":
        picture.info["transparency"] = key >> 8


def _over_white(picture: Image.Image) -> Image.Image:
    """Put transparent pixels on white, and return RGB."""
    if picture.mode != "RGBA":
        return picture
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
