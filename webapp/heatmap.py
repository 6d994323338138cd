"""Draws the explanation as a heatmap: a transparent picture to lay over the uploaded one."""

import io
from functools import cache
from typing import Final

from PIL import Image

from contract.api import Square

# Five colours of viridis (S. van der Walt and N. Smith, matplotlib 2.0). Its lightness grows evenly, also for people
# with colour blindness. Cells without evidence are transparent, so that the lesion shows through.
STOPS: Final = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))
STRONGEST_ALPHA: Final = 185  # of 255
OUTSIDE: Final = (24, 28, 31, 120)  # red, green, blue, alpha of the area outside the square that the model sees

_STRONGEST: Final = 254  # palette entries 0..254 are evidence, 255 is OUTSIDE


def draw_heatmap(grid: list[list[float]], square: Square, width: int, height: int) -> bytes:
    """Draw an explanation at the size of its picture. The area outside the square that the model sees is darkened.

    Args:
        grid: h rows of w values in 0..1, top row first; h and w are at least 1.
        square: that the grid covers, in pixels of the picture.
        width: of the picture, in pixels.
        height: of the picture, in pixels.

    Returns:
        PNG of width x height, with transparency.
    """
    rows, columns = len(grid), len(grid[0])
    strengths = Image.frombytes("L", (columns, rows), bytes(round(value * 255) for row in grid for value in row))
    evidence = strengths.resize((square.side, square.side), Image.Resampling.BICUBIC)
    drawn = Image.new("L", (width, height), _STRONGEST + 1)
    drawn.paste(evidence.point(lambda level: level * _STRONGEST / 255), (square.left, square.top))
    colours, alphas = _palette()
    drawn.putpalette(colours)
    png = io.BytesIO()
    drawn.save(png, "PNG", transparency=alphas, compress_level=3)
    return png.getvalue()


@cache
def _palette() -> tuple[bytes, bytes]:
    """Return 256 colours (red, green, blue), and their alphas."""
    colours = [_colour(level / _STRONGEST) for level in range(_STRONGEST + 1)] + [OUTSIDE]
    return bytes(channel for colour in colours for channel in colour[:3]), bytes(colour[3] for colour in colours)


def _colour(strength: float) -> tuple[int, int, int, int]:
    """Interpolate red, green, blue and alpha for a strength in 0..1."""
    position = strength * (len(STOPS) - 1)
    low = min(int(position), len(STOPS) - 2)
    fraction = position - low
    red, green, blue = (round(a + (b - a) * fraction) for a, b in zip(STOPS[low], STOPS[low + 1], strict=True))
    return red, green, blue, round(STRONGEST_ALPHA * min(1.0, strength * 1.25))
