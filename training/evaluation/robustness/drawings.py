"""Things that lie on the skin or that a camera writes into a picture: ink, hairs, rulers, scales and a date.

Each function takes and returns a PIL picture in RGB of the same size, and draws inside its centre square, which the
model sees. Lengths are shares of the shorter side.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

Colour = tuple[int, int, int]

INKS: Final[Sequence[Colour]] = ((62, 44, 150), (40, 60, 160), (35, 32, 45))  # gentian violet, blue and black pens
STROKES: Final = 4
HAIRS: Final = 14
HAIR: Final[Colour] = (38, 28, 24)
SCALE: Final[Colour] = (20, 20, 20)
STAMP: Final[Colour] = (255, 255, 0)
BESIDE: Final = (0.62, 0.9)  # distance of ink from the centre, times half of the shorter side

Point = tuple[float, float]


def draw_ink(picture: Image.Image, random: np.random.Generator) -> Image.Image:
    """Draw pen strokes around the lesion, as a surgeon marks it."""
    side = min(picture.size)
    ink = INKS[int(random.integers(len(INKS)))]
    strokes = []
    for _ in range(STROKES):
        start, length = random.uniform(0, 2 * np.pi), random.uniform(0.3, 0.9)
        angles = np.linspace(start, start + length, 12)
        radius = side / 2 * random.uniform(*BESIDE) * np.linspace(1, random.uniform(0.92, 1.08), 12)
        strokes.append(_around_centre(picture, radius * np.cos(angles), radius * np.sin(angles)))
    return _draw_lines(picture, strokes, ink, width=0.018, opacity=0.85)


def draw_hairs(picture: Image.Image, random: np.random.Generator) -> Image.Image:
    """Draw dark hairs across the picture, most of them in one direction."""
    side = min(picture.size)
    direction = random.uniform(0, np.pi)
    hairs = []
    for _ in range(HAIRS):
        angle = direction + random.normal(0, 0.35)
        along = np.linspace(-0.5, 0.5, 16) * random.uniform(0.4, 1.1) * side
        across = random.uniform(-0.25, 0.25) * side * (2 * along / side) ** 2  # a bend
        centre = random.uniform(-0.42, 0.42, 2) * side
        x = centre[0] + along * np.cos(angle) - across * np.sin(angle)
        y = centre[1] + along * np.sin(angle) + across * np.cos(angle)
        hairs.append(_around_centre(picture, x, y))
    return _draw_lines(picture, hairs, HAIR, width=0.0045, opacity=0.9)


def draw_ruler(picture: Image.Image, random: np.random.Generator) -> Image.Image:
    """Draw the edge of a white ruler with ticks along one side of the centre square."""
    side = min(picture.size)
    ruler = Image.new("RGB", (side, round(0.13 * side)), (236, 234, 228))
    _draw_ticks(ImageDraw.Draw(ruler), side, top=0, ticks=int(random.integers(36, 60)), height=0.035 * side)
    turned = ruler.rotate(90 * int(random.integers(4)), expand=True)  # at the bottom, right, top or left
    overlaid = picture.copy()
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    far = bool(random.integers(2))
    x = left if turned.width == side or not far else left + side - turned.width
    y = top if turned.height == side or not far else top + side - turned.height
    overlaid.paste(turned, (x, y))
    return overlaid


def draw_scale(picture: Image.Image, random: np.random.Generator) -> Image.Image:
    """Draw the ticks of a scale near the lower edge, as the glass of a dermoscope has them."""
    side = min(picture.size)
    scaled = picture.copy()
    left, bottom = (picture.width - side) // 2, (picture.height + side) // 2
    offset = left + random.uniform(0, 0.05) * side
    _draw_ticks(ImageDraw.Draw(scaled), side, top=bottom - 0.09 * side, ticks=19, height=0.027 * side, left=offset)
    return scaled


def draw_date(picture: Image.Image, random: np.random.Generator) -> Image.Image:
    """Write a date and a number into a corner of the centre square, as cameras do."""
    side = min(picture.size)
    left, top = (picture.width - side) / 2, (picture.height - side) / 2
    text = f"20{random.integers(10, 30)}-0{random.integers(1, 10)}-{random.integers(10, 29)}  {random.integers(10000)}"
    at = left + 0.04 * side, top + side * (0.03 if random.integers(2) else 0.9)
    stamped = picture.copy()
    ImageDraw.Draw(stamped).text(at, text, fill=STAMP, font=ImageFont.load_default(0.06 * side))
    return stamped


def _draw_ticks(
    draw: ImageDraw.ImageDraw, side: int, *, top: float, ticks: int, height: float, left: float = 0
) -> None:
    """Draw vertical ticks; every fifth is longer."""
    for tick in range(ticks):
        x = left + (tick + 0.5) * side / ticks
        draw.line((x, top, x, top + height * (1 if tick % 5 else 1.8)), fill=SCALE, width=max(1, round(side / 225)))


def _around_centre(picture: Image.Image, x: np.ndarray, y: np.ndarray) -> list[Point]:
    return list(zip((picture.width / 2 + x).tolist(), (picture.height / 2 + y).tolist(), strict=True))


def _draw_lines(
    picture: Image.Image, lines: Sequence[list[Point]], colour: Colour, *, width: float, opacity: float
) -> Image.Image:
    """Draw curves with soft edges."""
    side = min(picture.size)
    mask = Image.new("L", picture.size)
    draw = ImageDraw.Draw(mask)
    for line in lines:
        draw.line(line, fill=round(255 * opacity), width=max(1, round(width * side)), joint="curve")
    soft = mask.filter(ImageFilter.GaussianBlur(0.0015 * side))
    return Image.composite(Image.new("RGB", picture.size, colour), picture, soft)
