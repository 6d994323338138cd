"""A square of skin, and the tools to paint it: noise, spots, vessels, networks and the outline of a lesion."""

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

PATCH_PX: Final = 448  # side of a patch of skin
DIRECTIONS: Final = 1024  # angles at which the border of a lesion is stored

Colour = tuple[float, float, float]  # RGB in 0..1
Field = np.ndarray  # a number for each point of the patch: float32, shape (PATCH_PX, PATCH_PX)
Spot = tuple[float, float, float]  # x, y and radius in pixels of the patch

SKIN: Final[tuple[Colour, ...]] = (
    (0.91, 0.75, 0.70), (0.90, 0.62, 0.60), (0.92, 0.70, 0.64), (0.82, 0.71, 0.73),
    (0.93, 0.73, 0.60), (0.84, 0.62, 0.66), (0.79, 0.63, 0.58), (0.70, 0.52, 0.43),
)  # fmt: skip
BLOOD: Final = (0.66, 0.13, 0.19)


class Patch:
    """A square of skin that is being painted; x and y are in -1..1, with the lesion at the origin."""

    def __init__(self, random: np.random.Generator) -> None:
        self.random = random
        self.pixels = np.empty((3, PATCH_PX, PATCH_PX), np.float32)  # RGB in 0..1, a plane for each
        self.tone = np.array(SKIN[random.integers(len(SKIN))]) * random.uniform(0.92, 1.05) + random.normal(0, 0.015, 3)
        self.pixels[:] = self.tone.astype(np.float32)[:, None, None]

    def noise(self, cells: int) -> Field:
        """Smooth noise with a standard deviation of about 1 and `cells` bumps across the patch."""
        coarse = self.random.standard_normal((cells, cells), np.float32) * np.float32(1.3)
        fine = Image.fromarray(coarse).resize((PATCH_PX, PATCH_PX), Image.Resampling.BICUBIC)
        return np.asarray(fine)

    def stain(self, colour: Colour | np.ndarray, amount: Field) -> None:
        """Blend a colour in, by 0..1 at each point."""
        amount = amount.astype(np.float32, copy=False)
        for plane, value in zip(self.pixels, colour, strict=True):
            plane += (np.float32(value) - plane) * amount

    def shade(self, amount: Field) -> None:
        """Darken (below 0) or lighten (above 0) by a fraction at each point."""
        self.pixels *= 1 + amount

    def dots(
        self,
        colour: Colour | np.ndarray,
        spots: list[Spot],
        *,
        strength: float,
        blur_px: float,
        through: Field | None = None,
    ) -> None:
        """Paint round spots with softened edges, thinned by `through` (0..1) where it is given."""
        mask = Image.new("L", (PATCH_PX, PATCH_PX))
        pen = ImageDraw.Draw(mask)
        for x, y, radius in spots:
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
        self._stain_through(mask, colour, strength, blur_px, through)

    def vessels(self, starts: list[Spot], *, length_px: float, strength: float) -> None:
        """Paint winding red vessels from each start towards the centre, branching and thinning like a tree."""
        mask = Image.new("L", (PATCH_PX, PATCH_PX))
        pen = ImageDraw.Draw(mask)
        for x, y, width in starts:
            inwards = np.arctan2(PATCH_PX / 2 - y, PATCH_PX / 2 - x) + self.random.normal(0, 0.5)
            self._branch(pen, x, y, inwards, width, length_px)
        self._stain_through(mask, BLOOD, strength, 0.7)

    def _branch(
        self, pen: ImageDraw.ImageDraw, x: float, y: float, angle: float, width: float, length_px: float
    ) -> None:
        if width < 0.8 or length_px < 8:
            return
        for _ in range(int(length_px / 12)):
            angle += self.random.normal(0, 0.3)
            further = x + 6 * np.cos(angle), y + 6 * np.sin(angle)
            pen.line([(x, y), further], fill=int(min(255, 110 * width)), width=max(1, round(width)))
            x, y = further
        for side in (-1, 1):
            self._branch(pen, x, y, angle + side * self.random.uniform(0.3, 0.9), width * 0.75, length_px * 0.6)

    def _stain_through(
        self,
        mask: Image.Image,
        colour: Colour | np.ndarray,
        strength: float,
        blur_px: float,
        through: Field | None = None,
    ) -> None:
        soft = np.asarray(mask.filter(ImageFilter.BoxBlur(blur_px)), np.float32) * np.float32(strength / 255)
        self.stain(colour, soft if through is None else soft * through)

    def image(self) -> Image.Image:
        """The painted patch as an RGB image."""
        planes = np.clip(self.pixels * 255, 0, 255).astype(np.uint8)
        return Image.merge("RGB", [Image.fromarray(plane) for plane in planes])


@dataclass(frozen=True, eq=False)
class Shape:
    """The shape of a lesion."""

    depth: Field  # 1 in the centre, 0 at the border, negative outside
    border: np.ndarray  # distance from the centre, in the unit of x and y, for each of DIRECTIONS

    def body(self, softness: float) -> Field:
        """0..1: 1 inside the lesion, 0 outside; a small softness gives a sharp border."""
        belonging: Field = 1 / (1 + np.exp(np.clip(-self.depth / np.float32(softness), -40, 40)))
        return belonging

    def band(self, at: float, width: float) -> Field:
        """0..1: a ring of this depth and width."""
        ring: Field = np.exp(-(((self.depth - np.float32(at)) / np.float32(width)) ** 2))
        return ring

    def spots(
        self,
        random: np.random.Generator,
        number: int,
        radius_px: tuple[float, float],
        within: tuple[float, float] = (0, 0.85),
    ) -> list[Spot]:
        """Place random spots in the lesion; `within` is in fractions of the distance from the centre to the border."""
        direction = random.integers(DIRECTIONS, size=number)
        distance = self.border[direction] * np.sqrt(random.uniform(within[0] ** 2, within[1] ** 2, number))
        angle = direction * (2 * np.pi / DIRECTIONS) - np.pi
        x, y = (np.stack((np.cos(angle), np.sin(angle))) * distance + 1) * (PATCH_PX / 2)
        return list(zip(x.tolist(), y.tolist(), random.uniform(*radius_px, number).tolist(), strict=True))


def paint_skin(patch: Patch) -> None:
    """Make the empty patch look like skin: mottled red and tan, fine-grained, sometimes with freckles or vessels."""
    random = patch.random
    mottled = patch.noise(44)
    patch.stain(patch.tone * (1.04, 0.86, 0.88), np.clip(patch.noise(5) * 0.3 + mottled * 0.12, 0, 0.6))  # blood
    patch.stain(patch.tone * (0.92, 0.84, 0.76), np.clip(patch.noise(16) * 0.22 - mottled * 0.10, 0, 0.5))  # tan
    patch.shade(patch.noise(80) * 0.016 + patch.noise(200) * 0.015)
    if random.random() < 0.3:
        freckles = [(*random.uniform(0, PATCH_PX, 2).tolist(), random.uniform(2, 8)) for _ in range(16)]
        patch.dots(patch.tone * (0.80, 0.68, 0.58), freckles, strength=0.5, blur_px=2.5)
    if random.random() < 0.25:
        starts = [(*random.uniform(0, PATCH_PX, 2).tolist(), 1.0) for _ in range(10)]
        patch.vessels(starts, length_px=90, strength=0.25)


def outline(patch: Patch, radius: float, *, lobed: float, aspect: float, ragged: float = 0.0) -> Shape:
    """Draw the border: an ellipse of this mean radius and aspect, wavy (`lobed`) and frayed (`ragged`)."""
    angle = np.linspace(-np.pi, np.pi, DIRECTIONS, endpoint=False)
    waves = np.ones(DIRECTIONS)
    for lobes in range(2, 7):
        waves += (
            lobed / np.sqrt(lobes) * patch.random.normal() * np.cos(lobes * angle + patch.random.uniform(0, 2 * np.pi))
        )
    tilt = angle - patch.random.uniform(0, np.pi)
    ellipse = 1 / np.hypot(np.cos(tilt) * np.sqrt(aspect), np.sin(tilt) / np.sqrt(aspect))
    border = (radius * ellipse * np.clip(waves, 0.4, 1.7)).astype(np.float32)
    distance, direction = _polar()
    depth = 1 - distance / border[direction]
    if ragged:
        depth += np.float32(ragged) * (patch.noise(11) + np.float32(0.5) * patch.noise(30))
    return Shape(depth, border)


def network(patch: Patch, mesh: float, *, warp: float) -> Field:
    """0..1: the lines of a honeycomb with a cell size of `mesh`, distorted by `warp`, and faint in places."""
    x, y = _grid()
    uneven = patch.noise(26)
    x, y = x + np.float32(warp) * patch.noise(9), y + np.float32(warp) * (patch.noise(9) + np.float32(0.5) * uneven)
    step, turn = 2 * np.pi / (mesh * np.sqrt(0.75)), patch.random.uniform(0, np.pi)
    waves: Field = sum(
        np.cos(np.float32(step * np.cos(turn + third)) * x + np.float32(step * np.sin(turn + third)) * y)
        for third in (0, 2 * np.pi / 3, 4 * np.pi / 3)
    )
    return np.clip(np.float32(0.3) - waves * np.float32(0.5) + np.float32(0.35) * uneven, 0, 1)


def cloud(random: np.random.Generator, shape: Shape, away: float, spread: float) -> Field:
    """0..1: a cloud at a random place away from the centre of the lesion."""
    direction = int(random.integers(DIRECTIONS))
    angle, distance = direction * 2 * np.pi / DIRECTIONS - np.pi, away * float(shape.border[direction])
    x, y = _grid()
    x, y = x - np.float32(distance * np.cos(angle)), y - np.float32(distance * np.sin(angle))
    density: Field = np.exp(-(x * x + y * y) / np.float32(spread**2))
    return density


@cache
def _grid() -> tuple[Field, Field]:
    y, x = np.mgrid[-1 : 1 : PATCH_PX * 1j, -1 : 1 : PATCH_PX * 1j].astype(np.float32)
    return x, y


@cache
def _polar() -> tuple[Field, np.ndarray]:
    """The distance of each point from the centre, and its index in DIRECTIONS."""
    x, y = _grid()
    turns = (np.arctan2(y, x) + np.pi) / (2 * np.pi)
    return np.hypot(x, y), (turns * DIRECTIONS).astype(np.int32) % DIRECTIONS
