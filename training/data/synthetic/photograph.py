"""Photograph a painted patch of skin through a dermatoscope, with random angle, distance, light and hair."""

from functools import cache
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

WIDTH_PX, HEIGHT_PX = 600, 450  # the size of the HAM10000 pictures
FIELD_PX: Final = 800  # side of a patch in the picture at the usual distance; larger than the diagonal of 750 px
SHIFT_PX: Final = 24.0  # largest offset of the lesion from the centre

HAIR_COLOURS: Final = ((38, 26, 24), (62, 42, 34), (96, 70, 52))  # RGB


def photograph(patch: Image.Image, random: np.random.Generator) -> Image.Image:
    """Photograph a square patch of skin; the same generator state gives the same picture: RGB, 600x450."""
    picture = _place(patch, random)
    _draw_hair(picture, random)
    _draw_scale(picture, random)
    return _light(picture, random)


def _place(patch: Image.Image, random: np.random.Generator) -> Image.Image:
    """Rotate, mirror and shift the patch under the lens; it still fills the picture."""
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


def _draw_hair(picture: Image.Image, random: np.random.Generator) -> None:
    """Draw curved hairs over the picture: none in half of the pictures, many in one of six."""
    hairs = int(random.choice((0, 0, 0, 2, 5, 14)))
    if not hairs:
        return
    mask = Image.new("L", picture.size)
    pen = ImageDraw.Draw(mask)
    along = np.linspace(0, 1, 16)[:, None]
    main_direction = random.uniform(0, np.pi)
    for _ in range(hairs):
        angle, length = random.normal(main_direction, 0.5), random.uniform(90, 420)
        start = random.uniform((0, 0), picture.size)
        end = start + length * np.array((np.cos(angle), np.sin(angle)))
        bend = (start + end) / 2 + random.normal(0, 0.16 * length, 2)
        curve = (1 - along) ** 2 * start + 2 * along * (1 - along) * bend + along**2 * end  # quadratic Bezier
        width, opacity = int(random.choice((1, 2, 2, 3))), int(random.integers(120, 235))
        pen.line([tuple(point) for point in curve.tolist()], fill=opacity, width=width)
    picture.paste(tuple(random.choice(HAIR_COLOURS).tolist()), mask=mask.filter(ImageFilter.BoxBlur(0.7)))


def _draw_scale(picture: Image.Image, random: np.random.Generator) -> None:
    """Draw the millimetre scale of the dermatoscope along an edge, in one picture of twelve."""
    if random.random() > 1 / 12:
        return
    pen, first, gap = ImageDraw.Draw(picture), random.uniform(20, 200), random.uniform(24, 44)
    for mark in range(9):
        x, length = first + mark * gap, 20 if mark % 5 else 34
        pen.line([(x, HEIGHT_PX - 14), (x, HEIGHT_PX - 14 - length)], fill=(30, 26, 28), width=2)


def _light(picture: Image.Image, random: np.random.Generator) -> Image.Image:
    """Light the picture: brighter on one side, darker towards the edge, with noise and a random colour cast."""
    across, down, distance = _lens()
    side, slope = random.uniform(0, 2 * np.pi), random.uniform(0, 0.09)
    light = 1 + float(slope * np.cos(side)) * across + float(slope * np.sin(side)) * down
    light *= random.uniform(0.92, 1.08) - random.uniform(0.02, 0.22) * distance**2
    if random.random() < 0.2:  # the tube of the dermatoscope is visible in the corners
        rim = random.uniform(0.84, 1.02)
        light *= np.clip((rim - distance) / 0.07 + 0.5, 0.03, 1)
    light += random.standard_normal(light.shape, np.float32) * random.uniform(0.006, 0.018)  # the sensor's noise
    cast = random.normal(1, (0.02, 0.02, 0.03)).tolist()  # white balance
    channels = [
        Image.fromarray(np.clip(np.asarray(channel) * (light * tint), 0, 255).astype(np.uint8))
        for channel, tint in zip(picture.split(), cast, strict=True)
    ]
    return Image.merge("RGB", channels)


@cache
def _lens() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The position of each pixel: x, y in -1..1, distance from the centre (corners: 1); float32, shape (450, 600)."""
    down, across = np.mgrid[-1 : 1 : HEIGHT_PX * 1j, -1 : 1 : WIDTH_PX * 1j].astype(np.float32)
    return across, down, np.hypot(across * WIDTH_PX, down * HEIGHT_PX) / np.float32(np.hypot(WIDTH_PX, HEIGHT_PX))
