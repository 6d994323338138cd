"""Out-of-distribution (OOD) pictures, painted by code: they show no lesion, so a model should call them unfamiliar.

They are painted for each evaluation and not saved; the same size and seed give the same pixels.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

PER_KIND: Final = 24  # pictures
CANVAS_PX: Final = 256  # painted at this size, then scaled
WORDS: Final = ("invoice,", "menu,", "timetable:", "receipt", "letter,", "page", "of", "a", "book.")

Paint = Callable[[np.random.Generator], Image.Image]


def paint_ood_pictures(size: int, seed: int, per_kind: int = PER_KIND) -> dict[str, np.ndarray]:
    """Paint pictures of every kind.

    Returns:
        kind -> RGB pixels in 0..255: uint8, shape (per_kind, size, size, 3).
    """
    painted = {}
    for number, (kind, paint) in enumerate(KINDS.items()):
        pictures = (paint(np.random.default_rng([seed, number, picture])) for picture in range(per_kind))
        painted[kind] = np.stack(
            [np.asarray(picture.resize((size, size), Image.Resampling.BILINEAR)) for picture in pictures]
        )
    return painted


def _noise(random: np.random.Generator) -> Image.Image:
    """Paint noise, from single pixels to large spots."""
    cells = int(random.choice((8, 16, 64, CANVAS_PX)))
    pixels = random.integers(0, 256, (cells, cells, 3), np.uint8)
    if random.random() < 0.3:
        pixels[:] = pixels[..., :1]
    return Image.fromarray(pixels).resize((CANVAS_PX, CANVAS_PX), Image.Resampling.BICUBIC)


def _gradient(random: np.random.Generator) -> Image.Image:
    """Paint a linear or radial gradient between two colours."""
    down, across = np.mgrid[0 : 1 : CANVAS_PX * 1j, 0 : 1 : CANVAS_PX * 1j]
    if random.random() < 0.5:
        angle = random.uniform(0, 2 * np.pi)
        along = np.cos(angle) * across + np.sin(angle) * down
    else:
        along = np.hypot(across - random.random(), down - random.random())
    along = ((along - along.min()) / np.ptp(along))[..., None]
    start, end = random.uniform(0, 255, (2, 3))
    return Image.fromarray((start + (end - start) * along).astype(np.uint8))


def _texture(random: np.random.Generator) -> Image.Image:
    """Paint rotated stripes or a rotated chessboard in two colours."""
    down, across = np.mgrid[0:CANVAS_PX, 0:CANVAS_PX]
    angle, period = random.uniform(0, np.pi), random.uniform(6, 60)
    stripes = np.floor((np.cos(angle) * across + np.sin(angle) * down) / period)
    across_them = np.floor((np.cos(angle) * down - np.sin(angle) * across) / period)
    mask = (stripes + across_them * (random.random() < 0.5)) % 2 > 0
    colours = random.integers(0, 256, (2, 3)).astype(np.uint8)
    return Image.fromarray(np.where(mask[..., None], colours[0], colours[1]))


def _text(random: np.random.Generator) -> Image.Image:
    """Paint lines of dark words on light paper."""
    paper = int(random.integers(215, 256))
    page = Image.new("RGB", (CANVAS_PX, CANVAS_PX), (paper, paper, int(random.integers(200, paper + 1))))
    draw, height = ImageDraw.Draw(page), float(random.uniform(9, 20))
    font, left, top = ImageFont.load_default(height), int(random.integers(4, 24)), float(random.uniform(0, 16))
    while top < CANVAS_PX:
        line = " ".join(random.choice(WORDS, 12))
        draw.text((left, top), line, fill=(int(random.integers(0, 70)),) * 3, font=font)
        top += height * random.uniform(1.2, 1.6)
    return page


def _landscape(random: np.random.Generator) -> Image.Image:
    """Paint a landscape: sky, sun, hills, and houses with windows."""
    sky = _vertical_gradient(random, top=(90, 150, 215), bottom=(205, 225, 245))
    draw = ImageDraw.Draw(sky)
    x, y, radius = random.uniform(20, 236), random.uniform(15, 80), random.uniform(10, 26)
    draw.ellipse(_box(x, y, radius), fill=(255, 236, 150))
    for depth in range(3):
        ground = 120 + 40 * depth + random.integers(-12, 12)
        waves = np.arange(0, CANVAS_PX + 8, 8)
        ridge = ground + 16 * np.sin(waves / random.uniform(20, 60) + random.uniform(0, 6))
        outline = [*zip(waves.tolist(), ridge.tolist(), strict=True), (CANVAS_PX, CANVAS_PX), (0, CANVAS_PX)]
        draw.polygon(outline, fill=_similar_colour(random, (70 + 20 * depth, 130 - 20 * depth, 60)))
    for _ in range(int(random.integers(1, 5))):
        left, top, side = random.uniform(5, 200), random.uniform(150, 205), random.uniform(24, 48)
        draw.rectangle((left, top, left + side, top + side), fill=_similar_colour(random, (200, 190, 170)))
        roof = [(left - 5, top), (left + side / 2, top - side / 2), (left + side + 5, top)]
        draw.polygon(roof, fill=_similar_colour(random, (150, 60, 50)))
        draw.rectangle((left + side / 3, top + side / 4, left + side / 2, top + side / 2), fill=(60, 80, 110))
    return sky


def _table_top(random: np.random.Generator) -> Image.Image:
    """Paint a table: round and square objects with shadows."""
    table = _vertical_gradient(
        random, top=tuple(random.integers(60, 220, 3)), bottom=tuple(random.integers(60, 220, 3))
    )
    draw = ImageDraw.Draw(table)
    for _ in range(int(random.integers(3, 8))):
        x, y, radius = (int(number) for number in random.integers((20, 20, 14), (236, 236, 60)))
        colour = tuple(int(channel) for channel in random.integers(20, 256, 3))
        shape = draw.ellipse if random.random() < 0.6 else draw.rectangle
        shape(_box(x + 5, y + 7, radius), fill=(45, 42, 40))
        shape(_box(x, y, radius), fill=colour)
        draw.ellipse(_box(x - radius // 3, y - radius // 3, radius // 5), fill=(250, 250, 250))
    return table


KINDS: Final[dict[str, Paint]] = {
    "noise": _noise,
    "gradient": _gradient,
    "texture": _texture,
    "text": _text,
    "landscape": _landscape,
    "table_top": _table_top,
}


def _vertical_gradient(random: np.random.Generator, top: tuple[int, ...], bottom: tuple[int, ...]) -> Image.Image:
    down = np.linspace(0, 1, CANVAS_PX)[:, None, None]
    colours = np.array(_similar_colour(random, top)) * (1 - down) + np.array(_similar_colour(random, bottom)) * down
    return Image.fromarray(np.broadcast_to(colours, (CANVAS_PX, CANVAS_PX, 3)).astype(np.uint8))


def _similar_colour(random: np.random.Generator, colour: tuple[int, ...]) -> tuple[int, int, int]:
    red, green, blue = np.clip(np.array(colour) + random.integers(-25, 26, 3), 0, 255).tolist()
    return red, green, blue


def _box(x: float, y: float, radius: float) -> tuple[float, float, float, float]:
    return (x - radius, y - radius, x + radius, y + radius)
