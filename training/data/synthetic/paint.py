"""Paint synthetic skin with a lesion of one of the seven classes, as seen through a dermatoscope.

Each class has its typical dermatoscopic structures, from Kittler et al., "Standardization of terminology in
dermoscopy/dermatoscopy" (J Am Acad Dermatol 2016; 74:1093-1106). A model can learn from these pictures and a person can
recognise the classes, but they allow no conclusion about real skin.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
from PIL import Image

from training.data.synthetic.patch import PATCH_PX, Colour, Patch, cloud, network, outline, paint_skin

BLACK: Final = (0.13, 0.09, 0.10)
BLUE_GREY: Final = (0.40, 0.42, 0.50)
WHITE: Final = (0.96, 0.90, 0.87)


def paint_patch(code: str, random: np.random.Generator) -> Image.Image:
    """Paint a square of skin with a lesion of this class in its centre; an equal generator gives an equal patch."""
    patch = Patch(random)
    paint_skin(patch)
    _PAINTERS[code](patch, random)
    return patch.image()


def _paint_nevus(patch: Patch, random: np.random.Generator) -> None:
    """nv: one or two colours, symmetrical, a regular network that fades towards the border."""
    shape = outline(patch, random.uniform(0.15, 0.36), lobed=0.08, aspect=random.uniform(1, 1.4), ragged=0.10)
    brown = _choose_colour(random, (0.58, 0.24, 0.19), (0.50, 0.33, 0.23), (0.62, 0.36, 0.26), (0.30, 0.18, 0.15))
    body = shape.body(random.uniform(0.06, 0.15))
    patch.stain(brown, body * np.clip(random.uniform(0.6, 0.85) + 0.10 * patch.noise(12), 0, 1))
    patch.stain(brown * 0.62, body * np.clip(shape.depth + 0.15 * patch.noise(14), 0, 1) * random.uniform(0.1, 0.8))
    patch.shade(body * patch.noise(60) * 0.07)
    mesh = random.uniform(0.036, 0.050)
    patch.stain(brown * 0.55, body * network(patch, mesh, warp=0.022) * random.uniform(0.1, 0.6))
    if random.random() < 0.35:
        patch.dots(brown * 0.45, shape.spots(random, 22, (1.0, 2.6)), strength=0.6, blur_px=1.0)


def _paint_melanoma(patch: Patch, random: np.random.Generator) -> None:
    """mel: asymmetrical, many colours, an irregular network, a blue-white veil, dots towards the border."""
    shape = outline(patch, random.uniform(0.26, 0.48), lobed=0.15, aspect=random.uniform(1, 1.5), ragged=0.20)
    brown = _choose_colour(random, (0.52, 0.32, 0.21), (0.44, 0.28, 0.22), (0.58, 0.28, 0.20), (0.62, 0.42, 0.34))
    body = shape.body(random.uniform(0.05, 0.12))
    mottled = patch.noise(24)
    patch.stain(brown, body * np.clip(0.7 + 0.2 * patch.noise(6) + 0.12 * mottled, 0.1, 0.95))
    patch.stain(brown * 0.5, body * np.clip(patch.noise(7) + 0.4 * mottled, 0, 1) * 0.8)
    uneven = np.clip(0.2 + 0.5 * patch.noise(4), 0, 0.75)
    patch.stain(brown * 0.4, body * network(patch, random.uniform(0.05, 0.07), warp=0.05) * uneven)
    patch.stain(BLACK, body * np.clip(patch.noise(6) + 0.4 * mottled - 0.7, 0, 1) * 0.95)
    veil = cloud(random, shape, 0.5, 0.15) * np.clip(1 + 0.5 * mottled, 0, 1.2)
    patch.stain(BLUE_GREY, body * np.clip(veil, 0, 1) * random.uniform(0.3, 0.85))
    if random.random() < 0.5:  # regression: white and pink areas where the tumour disappeared
        scar = cloud(random, shape, 0.6, 0.13) * np.clip(1 + 0.4 * patch.noise(18), 0, 1.2)
        patch.stain(_choose_colour(random, (0.88, 0.76, 0.76), (0.80, 0.52, 0.55)), body * np.clip(scar, 0, 1) * 0.85)
    patch.shade(body * patch.noise(90) * 0.10)
    dots = shape.spots(random, int(random.integers(8, 36)), (0.9, 3.6), (0.5, 1.0))
    patch.dots(BLACK, dots, strength=0.75, blur_px=1.2)


def _paint_keratosis(patch: Patch, random: np.random.Generator) -> None:
    """bkl: a sharp border, tan to brown, with milia-like white cysts and dark clods in a rough surface."""
    shape = outline(patch, random.uniform(0.20, 0.44), lobed=0.10, aspect=random.uniform(1, 1.5), ragged=0.09)
    tan = _choose_colour(random, (0.72, 0.52, 0.36), (0.62, 0.44, 0.33), (0.56, 0.46, 0.43), (0.44, 0.28, 0.20))
    body = shape.body(random.uniform(0.015, 0.045))
    rough = patch.noise(64)
    patch.stain(tan, body * np.clip(random.uniform(0.55, 0.9) + 0.12 * patch.noise(10) + 0.06 * rough, 0, 1))
    fissures = np.exp(
        -(((patch.noise(30) + 0.3 * rough) / 0.22) ** 2)
    )  # where smooth noise crosses zero: winding lines
    patch.stain(tan * 0.58, body * fissures * random.uniform(0.1, 0.55))
    patch.shade(body * (rough * 0.06 + patch.noise(120) * 0.08 + patch.noise(8) * 0.08))
    patch.stain(tan * 0.7, body * shape.band(0.05, 0.06) * random.uniform(0, 0.6))
    clods = shape.spots(random, int(random.integers(4, 20)), (1.2, 3.8))
    patch.dots((0.24, 0.15, 0.11), clods, strength=0.7, blur_px=1.4)
    cysts = shape.spots(random, int(random.integers(8, 34)), (0.9, 3.0))
    patch.dots((0.97, 0.93, 0.84), cysts, strength=0.85, blur_px=1.2)


def _paint_basal_cell(patch: Patch, random: np.random.Generator) -> None:
    """bcc: pink and translucent, sharp branching red vessels, blue-grey clods, sometimes an ulcer."""
    shape = outline(patch, random.uniform(0.20, 0.40), lobed=0.12, aspect=random.uniform(1, 1.5), ragged=0.16)
    pink = patch.tone * _choose_colour(random, (0.98, 0.78, 0.81), (1.0, 0.85, 0.86), (0.92, 0.74, 0.80))
    body = shape.body(random.uniform(0.08, 0.18))
    patch.stain(pink, body * np.clip(0.75 + 0.15 * patch.noise(14), 0, 1))
    patch.stain(WHITE, body * np.clip(patch.noise(12) - 0.3, 0, 1) * 0.35)
    patch.vessels(shape.spots(random, int(random.integers(3, 7)), (1.4, 2.4), (0.5, 1.0)), length_px=80, strength=0.6)
    ragged = np.clip(0.75 + 0.6 * patch.noise(40), 0, 1)
    nests = shape.spots(random, int(random.integers(3, 12)), (4, 13), (0.2, 0.95))
    patch.dots((0.37, 0.32, 0.39), nests, strength=random.uniform(0.6, 0.95), blur_px=4.0, through=ragged)
    patch.dots((0.30, 0.22, 0.24), shape.spots(random, 12, (0.9, 2.4)), strength=0.7, blur_px=1.0)
    if random.random() < 0.35:
        ulcer = shape.spots(random, 5, (3, 9), (0, 0.35))
        patch.dots((0.40, 0.06, 0.07), ulcer, strength=1.0, blur_px=2.0, through=ragged)


def _paint_keratinocyte(patch: Patch, random: np.random.Generator) -> None:
    """akiec: a red patch without a clear border, pale rings around the follicles, white to yellow scale on top."""
    shape = outline(patch, random.uniform(0.26, 0.50), lobed=0.13, aspect=random.uniform(1, 1.4), ragged=0.26)
    red = patch.tone * _choose_colour(random, (0.92, 0.62, 0.62), (0.92, 0.70, 0.66), (0.84, 0.66, 0.58))
    body = shape.body(random.uniform(0.12, 0.22))
    rough = patch.noise(70)
    patch.stain(red, body * np.clip(random.uniform(0.6, 0.85) + 0.2 * patch.noise(10) + 0.08 * rough, 0, 1))
    patch.stain(
        red * (0.90, 0.74, 0.74), body * network(patch, 0.065, warp=0.040) * random.uniform(0.2, 0.6)
    )  # strawberry
    follicles = shape.spots(random, 30, (1.8, 3.6), (0, 0.95))
    patch.dots(WHITE, follicles, strength=0.4, blur_px=1.6)
    patch.dots(red * 0.7, [(x, y, size * 0.4) for x, y, size in follicles], strength=0.7, blur_px=1.0)
    if random.random() < 0.4:  # pigmented
        patch.stain((0.52, 0.34, 0.25), body * np.clip(patch.noise(9) + 0.5 * rough, 0, 1) * 0.7)
    flakes = patch.noise(110) + 0.7 * rough + patch.noise(7) - random.uniform(1.2, 2.0)
    patch.stain((0.96, 0.92, 0.87), shape.body(0.05) * np.clip(flakes * 1.2, 0, 1) * 0.8)


def _paint_dermatofibroma(patch: Patch, random: np.random.Generator) -> None:
    """df: a scar-like white patch in the centre, and around it a fine, faint network that fades into the skin."""
    shape = outline(patch, random.uniform(0.18, 0.36), lobed=0.05, aspect=random.uniform(1, 1.3), ragged=0.12)
    ring = patch.tone * _choose_colour(random, (0.82, 0.66, 0.60), (0.90, 0.68, 0.73), (0.76, 0.60, 0.54))
    body = shape.body(random.uniform(0.16, 0.26))
    patch.stain(ring, body * np.clip(random.uniform(0.6, 0.9) + 0.12 * patch.noise(14), 0, 1))
    faint = body * (1 - np.clip(shape.depth, 0, 1)) * random.uniform(0.15, 0.6)
    patch.stain(ring * 0.72, faint * network(patch, 0.038, warp=0.022))
    streaks = np.exp(-((patch.noise(22) / 0.18) ** 2))
    scar = np.clip((shape.depth - random.uniform(0.25, 0.5)) * 2.2 + 0.25 * patch.noise(18), 0, 1)
    white = _choose_colour(random, (0.96, 0.86, 0.85), (0.93, 0.83, 0.78)) * (0.5 + 0.5 * patch.tone)
    patch.stain(white, scar * random.uniform(0.55, 0.85))
    patch.stain((1.0, 0.96, 0.95), scar * streaks * 0.35)
    patch.shade(body * patch.noise(70) * 0.05)


def _paint_vascular(patch: Patch, random: np.random.Generator) -> None:
    """vasc: red to blue-black lacunae inside a sharp border, with pale walls between them."""
    shape = outline(patch, random.uniform(0.12, 0.32), lobed=0.08, aspect=random.uniform(1, 1.3), ragged=0.04)
    blood = _choose_colour(random, (0.78, 0.12, 0.30), (0.70, 0.16, 0.20), (0.46, 0.16, 0.34), (0.30, 0.22, 0.38))
    body = shape.body(random.uniform(0.03, 0.08))
    patch.stain(blood * 0.7 + np.array((0.24, 0.12, 0.15)), body * 0.9)
    patch.stain(patch.tone * (1.0, 0.80, 0.80), shape.band(-0.12, 0.14) * 0.4)
    room, worn = PATCH_PX * float(shape.border.mean()), np.clip(0.8 + 0.3 * patch.noise(30), 0, 1)
    lacunae = shape.spots(random, int(random.integers(30, 70)), (room * 0.05, room * 0.10), (0, 0.88))
    for shade, few in ((1.0, lacunae[::3]), (0.82, lacunae[1::3]), (0.62, lacunae[2::3])):
        patch.dots(blood * shade, few, strength=0.9, blur_px=2.2, through=worn)
    if random.random() < 0.4:
        clot = shape.spots(random, 3, (room * 0.08, room * 0.18), (0, 0.6))
        patch.dots((0.14, 0.07, 0.13), clot, strength=0.9, blur_px=3.0, through=worn)
    patch.shade(body * patch.noise(70) * 0.07)


_PAINTERS: Final[dict[str, Callable[[Patch, np.random.Generator], None]]] = {
    "akiec": _paint_keratinocyte,
    "bcc": _paint_basal_cell,
    "bkl": _paint_keratosis,
    "df": _paint_dermatofibroma,
    "mel": _paint_melanoma,
    "nv": _paint_nevus,
    "vasc": _paint_vascular,
}


def _choose_colour(random: np.random.Generator, *colours: Colour) -> np.ndarray:
    """One of these colours, slightly changed."""
    return np.array(colours[random.integers(len(colours))]) * random.normal(1, 0.03, 3)
