"""Checks whether a picture is good enough to classify: size, exposure, glare, blur and contrast.

The thresholds are outside the range of HAM10000, so that a good dermatoscopic picture is rarely refused.
docs/inference.md has the rate of false alarms of each finding, and how many degraded pictures are detected.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np

SHORT_SIDE_PX: Final = 160  # of the whole picture; HAM10000 has 450
DARK_LUMA: Final = 45.0  # mean of the square, 0..255; in HAM10000: 46..230
BRIGHT_LUMA: Final = 235.0
GLARE_LUMA: Final = 240.0  # a pixel of this brightness or more is overexposed
GLARE_SHARE: Final = 0.1  # of overexposed pixels in the square; 26 of 8,802 HAM10000 pictures have more, up to 0.5
SHARPNESS: Final = 4.0  # variance of the Laplacian; in HAM10000 5.4 or more at 224 px
CELLS: Final = 8  # rows and columns of cells whose colours are compared
# RGB distance of the most different cell. Of 8,802 HAM10000 pictures, 5 have less, and half have more than 130.
CONTRAST: Final = 26.0


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


def assess(pixels: "np.ndarray", *, width: int, height: int) -> list[Finding]:
    """Return the findings about a picture; an empty list means that it is good enough.

    Args:
        pixels: the square that the model sees: RGB, uint8, shape (size, size, 3).
        width: of the whole picture, in pixels.
        height: of the whole picture, in pixels.
    """
    import numpy as np

    colours = pixels.astype(np.float32)
    luma = _luma(colours)
    brightness = float(luma.mean())
    findings = []
    if (short_side := min(width, height)) < SHORT_SIDE_PX:
        findings.append(_finding("too_small", short_side, SHORT_SIDE_PX))
    if brightness < DARK_LUMA:
        findings.append(_finding("too_dark", brightness, DARK_LUMA))
    if brightness > BRIGHT_LUMA:
        findings.append(_finding("too_bright", brightness, BRIGHT_LUMA))
    elif (overexposed := _share(luma >= GLARE_LUMA)) > GLARE_SHARE:  # adds nothing to too_bright
        findings.append(_finding("glare", overexposed, GLARE_SHARE))
    if (sharpness := laplacian_variance(luma)) < SHARPNESS:
        findings.append(_finding("blurred", sharpness, SHARPNESS))
    if (contrast := largest_contrast(colours)) < CONTRAST:
        findings.append(_finding("no_lesion", contrast, CONTRAST))
    return findings


def laplacian_variance(luma: "np.ndarray") -> float:
    """Measure sharpness: the variance of the 4-neighbour Laplacian (Pech-Pacheco et al., ICPR 2000, LAPV).

    Args:
        luma: brightness in 0..255, shape (height, width), both at least 3.
    """
    import numpy as np

    laplacian = 4 * luma[1:-1, 1:-1]
    for neighbour in (luma[:-2, 1:-1], luma[2:, 1:-1], luma[1:-1, :-2], luma[1:-1, 2:]):
        laplacian -= neighbour  # in place: allocating a new array for each step would take longer than filling it
    mean = float(laplacian.mean())  # close to 0, so the difference below is accurate
    return float(np.vdot(laplacian, laplacian)) / laplacian.size - mean**2


def largest_contrast(pixels: "np.ndarray") -> float:
    """Measure how much the most different cell differs from the median cell: a distance in RGB, 0..442.

    Compares the mean colours of CELLS x CELLS cells of the square: hair and pores average out, a lesion does not.
    Remaining rows and columns at the lower and right edges are ignored.

    Args:
        pixels: RGB in 0..255: float32, shape (size, size, 3).
    """
    import numpy as np

    side = len(pixels) // CELLS  # of one cell, px
    rows = pixels[: side * CELLS, : side * CELLS].reshape(CELLS, side, -1)
    cells = rows.sum(axis=1).reshape(-1, side, 3).sum(axis=1) / np.float32(side**2)
    middle = len(cells) // 2
    median = np.sort(cells, axis=0)[middle - 1 : middle + 1].mean(axis=0)  # their number is even
    return float(np.sqrt(((cells - median) ** 2).sum(axis=1).max()))


def _share(mask: "np.ndarray") -> float:
    import numpy as np

    return float(np.count_nonzero(mask)) / mask.size


def _luma(pixels: "np.ndarray") -> "np.ndarray":
    """Return the luma of float32 RGB by ITU-R BT.601: float32, shape (size, size)."""
    import numpy as np

    return pixels @ np.array([0.299, 0.587, 0.114], np.float32)


def _finding(code: str, value: float, threshold: float) -> Finding:
    return Finding(code=code, message=MESSAGES[code], value=round(float(value), 4), threshold=threshold)
