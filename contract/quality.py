"""Checks whether a picture is good enough to classify: size, exposure, glare, blur and contrast.

Dark borders, date stamps, rulers and marks at the edge must neither hide a fault nor be one. So brightness is a
percentile, sharpness is the median over tiles, and contrast is measured in the middle of the square.
The thresholds are where more than 2% of malignant lesions would be called harmless, or outside the range of HAM10000.
docs/inference.md has the rates of missed and false alarms.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from contract.exposure import LUMA

if TYPE_CHECKING:
    import numpy as np

    from contract.image import DecodedImage

SHORT_SIDE_PX: Final = 160  # of the whole picture; HAM10000 has 450
DARK_BRIGHTNESS: Final = 80.0  # 90th percentile of the luma as the camera made it; in HAM10000: 100 or more
BRIGHT_LUMA: Final = 235.0  # mean of the square, 0..255
GLARE_LUMA: Final = 240.0  # a pixel of this brightness or more is overexposed
GLARE_SHARE: Final = 0.1  # of overexposed pixels in the square
TILES: Final = 8  # rows and columns of tiles whose sharpness and colours are compared
SHARPNESS: Final = 6.0  # variance of the Laplacian in the median tile; 0.5% of HAM10000 have less at 224 px
EDGE_TILES: Final = 1  # rows and columns at each edge whose contrast is ignored: dates, rulers and marks are there
CONTRAST: Final = 26.0  # RGB distance of the most different tile; 0.1% of HAM10000 have less, and half more than 136


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One reason why a picture is too poor: the measured value, its threshold, and what to do."""

    code: str
    message: str
    value: float
    threshold: float


MESSAGES: Final = {  # finding -> what the person can do
    "too_small": "The picture is small. Send the original, not a thumbnail.",
    "too_dark": "The picture is too dark. Take it again in more light.",
    "too_bright": "The picture is too bright. Take it again without flash.",
    "glare": "Light is reflected from the skin. Take it again without flash, or tilt the camera a little.",
    "blurred": "The picture is blurred. Hold still, and focus on the lesion.",
    "no_lesion": "The lesion hardly differs from the skin. Bring it to the middle, with some skin around it.",
}


def assess(decoded: "DecodedImage") -> list[Finding]:
    """Return the findings about a picture; an empty list means that it is good enough.

    Args:
        decoded: from `contract.image.decode_image`.
    """
    import numpy as np

    colours = decoded.pixels.astype(np.float32)
    luma = colours @ np.array(LUMA, np.float32)
    findings = []
    if (short_side := min(decoded.width, decoded.height)) < SHORT_SIDE_PX:
        findings.append(_finding("too_small", short_side, SHORT_SIDE_PX))
    if decoded.brightness < DARK_BRIGHTNESS:
        findings.append(_finding("too_dark", decoded.brightness, DARK_BRIGHTNESS))
    if (mean := float(luma.mean())) > BRIGHT_LUMA:
        findings.append(_finding("too_bright", mean, BRIGHT_LUMA))
    elif (overexposed := _share(luma >= GLARE_LUMA)) > GLARE_SHARE:  # adds nothing to too_bright
        findings.append(_finding("glare", overexposed, GLARE_SHARE))
    if (sharpness := median_sharpness(luma)) < SHARPNESS:
        findings.append(_finding("blurred", sharpness, SHARPNESS))
    if (contrast := largest_contrast(colours)) < CONTRAST:
        findings.append(_finding("no_lesion", contrast, CONTRAST))
    return findings


def median_sharpness(luma: "np.ndarray") -> float:
    """Measure sharpness: the variance of the 4-neighbour Laplacian (Pech-Pacheco et al., ICPR 2000, LAPV) in a tile.

    The median over TILES x TILES tiles counts: letters and lines are sharp even in a blurred picture, but they lie in
    fewer than half of the tiles. Remaining rows and columns at the lower and right edges are ignored.

    Args:
        luma: brightness in 0..255: float32, shape (height, width), each at least TILES + 2.
    """
    import numpy as np

    laplacian = 4 * luma[1:-1, 1:-1]
    for neighbour in (luma[:-2, 1:-1], luma[2:, 1:-1], luma[1:-1, :-2], luma[1:-1, 2:]):
        laplacian -= neighbour  # in place: allocating a new array for each step would take longer than filling it
    sharpness = _tile_means(laplacian * laplacian) - _tile_means(laplacian) ** 2
    return float(np.median(sharpness))


def largest_contrast(pixels: "np.ndarray") -> float:
    """Measure how much the most different tile differs from the median tile: a distance in RGB, 0..442.

    Compares the mean colours of TILES x TILES tiles: hair and pores average out, a lesion does not. The tiles at the
    edges count for the median only.

    Args:
        pixels: RGB in 0..255: float32, shape (size, size, 3).
    """
    import numpy as np

    tiles = np.stack([_tile_means(pixels[..., channel]) for channel in range(3)], axis=-1)
    median = np.median(tiles.reshape(-1, 3), axis=0)
    middle = tiles[EDGE_TILES:-EDGE_TILES, EDGE_TILES:-EDGE_TILES]
    return float(np.sqrt(((middle - median) ** 2).sum(axis=-1).max()))


def _tile_means(values: "np.ndarray") -> "np.ndarray":
    """Average TILES x TILES tiles of a two-dimensional array."""
    import numpy as np

    height, width = (length // TILES for length in values.shape)
    rows = values[: height * TILES, : width * TILES].reshape(TILES, height, -1).sum(axis=1)
    return np.asarray(rows.reshape(TILES, TILES, width).sum(axis=2) / np.float32(height * width))


def _share(mask: "np.ndarray") -> float:
    import numpy as np

    return float(np.count_nonzero(mask)) / mask.size


def _finding(code: str, value: float, threshold: float) -> Finding:
    return Finding(code=code, message=MESSAGES[code], value=round(float(value), 4), threshold=threshold)
