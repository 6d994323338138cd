"""Photograph a painted patch of skin through a dermatoscope: angle, distance, light and hair differ each time."""

from functools import cache
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

WIDTH_PX, HEIGHT_PX = 600, 450  # as HAM10000 was published
FIELD_PX: Final = 800  # side of the square that a patch spans at the usual distance: over the picture's diagonal of 750
SHIFT_PX: Final = 24.0  # how far the lesion may lie from the middle

HAIR_COLOURS: Final = ((38, 26, 24), (62, 42, 34), (96, 70, 52))  # RGB


def photograph(patch: Image.Image, random: np.random.Generator) -> Image.Image:
    """Photograph a square patch of skin; the same generator state gives the same picture: RGB, 600x450."""
    picture = _placed(patch, random)
    _lay_hair(picture, random)
    _lay_scale(picture, random)
    return _lit(picture, random)


def _placed(patch: Image.Image, random: np.random.Generator) -> Image.Image:
    """Turn, mirror and shift the patch under the lens, so that it still fills the picture."""
    step = patch.width / FIELD_PX * random.uniform(0.8, 1.0)  # patch pixels for each of the picture's
    angle, mirrored = random.uniform(0, 2 * np.pi), random.choice((-1, 1))
    across = step * np.cos(angle) * mirrored, step * np.sin(angle) * mirrored
    down = -step * np.sin(angle), step * np.cos(angle)
    centre = np.array((WIDTH_PX, HEIGHT_PX)) / 2 + random.uniform(-SHIFT_PX, SHIFT_PX, 2) * 0.7
    start_x = patch.width / 2 - across[0] * centre[0] - down[0] * centre[1]
    start_y = patch.height / 2 - across[1] * centre[0] - down[1] * centre[1]
    return patch.transform(
        (WIDTH_PX, HEIGHT_PX),
        Image.Transform.AFFINE,
        (across[0], down[0], start_x, across[1], down[1], start_y),
        Image.Resampling.BILINEAR,
    )


def _lay_hair(picture: Image.Image, random: np.random.Generator) -> None:
    """Lay a few curved hairs over the picture, or none, or on one in six a good many."""
    hairs = int(random.choice((0, 0, 0, 2, 5, 14)))
    if not hairs:
        return
    mask = Image.new("L", picture.size)
    pen = ImageDraw.Draw(mask)
    along = np.linspace(0, 1, 16)[:, None]
    combed = random.uniform(0, np.pi)
    for _ in range(hairs):
        angle, length = random.normal(combed, 0.5), random.uniform(90, 420)
        start = random.uniform((0, 0), picture.size)
        end = start + length * np.array((np.cos(angle), np.sin(angle)))
        bend = (start + end) / 2 + random.normal(0, 0.16 * length, 2)
        curve = (1 - along) ** 2 * start + 2 * along * (1 - along) * bend + along**2 * end  # quadratic Bezier
        width, opacity = int(random.choice((1, 2, 2, 3))), int(random.integers(120, 235))
        pen.line([tuple(point) for point in curve.tolist()], fill=opacity, width=width)
    picture.paste(tuple(random.choice(HAIR_COLOURS).tolist()), mask=mask.filter(ImageFilter.BoxBlur(0.7)))


def _lay_scale(picture: Image.Image, random: np.random.Generator) -> None:
    """Show the millimetre marks of the dermatoscope's glass along an edge, in one picture of twelve."""
    if random.random() > 1 / 12:
        return
    pen, first, gap = ImageDraw.Draw(picture), random.uniform(20, 200), random.uniform(24, 44)
    for mark in range(9):
        x, length = first + mark * gap, 20 if mark % 5 else 34
        pen.line([(x, HEIGHT_PX - 14), (x, HEIGHT_PX - 14 - length)], fill=(30, 26, 28), width=2)


def _lit(picture: Image.Image, random: np.random.Generator) -> Image.Image:
    """Light the picture: brighter on one side, darker to the rim, noisy, and with a colour cast of its own."""
    across, down, from_middle = _lens()
    side, slope = random.uniform(0, 2 * np.pi), random.uniform(0, 0.09)
    light = 1 + float(slope * np.cos(side)) * across + float(slope * np.sin(side)) * down
    light *= random.uniform(0.92, 1.08) - random.uniform(0.02, 0.22) * from_middle**2
    if random.random() < 0.2:  # the tube of the dermatoscope shows in the corners
        rim = random.uniform(0.84, 1.02)
        light *= np.clip((rim - from_middle) / 0.07 + 0.5, 0.03, 1)
    light += random.standard_normal(light.shape, np.float32) * random.uniform(0.006, 0.018)  # the sensor's noise
    cast = random.normal(1, (0.02, 0.02, 0.03)).tolist()  # white balance
    channels = [
        Image.fromarray(np.clip(np.asarray(channel) * (light * tint), 0, 255).astype(np.uint8))
        for channel, tint in zip(picture.split(), cast, strict=True)
    ]
    return Image.merge("RGB", channels)


@cache
def _lens() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where each pixel is: across and down in -1..1, and from the middle, 1 in the corners; float32, (450, 600)."""
    down, across = np.mgrid[-1 : 1 : HEIGHT_PX * 1j, -1 : 1 : WIDTH_PX * 1j].astype(np.float32)
    return across, down, np.hypot(across * WIDTH_PX, down * HEIGHT_PX) / np.float32(np.hypot(WIDTH_PX, HEIGHT_PX))
