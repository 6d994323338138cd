"""Is this picture good enough to be judged? Size, exposure, glare, blur and contrast, as numbers with thresholds.

The thresholds lie outside what HAM10000 holds, so that a good dermatoscopic picture is hardly ever refused;
docs/inference.md gives the rate of false alarms of each finding there, and how often a spoiled picture is told.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np

SHORT_SIDE_PX: Final = 160  # of the whole picture; HAM10000 was published at 450
DARK_LUMA: Final = 45.0  # mean of the square, 0..255; HAM10000: 46..230
BRIGHT_LUMA: Final = 235.0
GLARE_LUMA: Final = 240.0  # a pixel at or over it is burnt out
GLARE_SHARE: Final = 0.1  # of the square that is burnt out; HAM10000: more in 26 of 8,802, up to half
SHARPNESS: Final = 4.0  # variance of the Laplacian; HAM10000: 5.4 or more at 224 px
PLACES: Final = 8  # the square is compared place by place, in this many rows and columns
CONTRAST: Final = 26.0  # of the place that differs most, a distance in RGB; HAM10000: less in 5 of 8,802, half over 130


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One way in which a picture is too poor: what was measured, the threshold it missed, and what to do."""

    code: str
    message: str
    value: float
    threshold: float


MESSAGES: Final = {  # finding -> what a person can do about it
    "too_small": "The picture is small. Send the original, not a thumbnail.",
    "too_dark": "The picture is too dark. Take it again in more light.",
    "too_bright": "The picture is too bright. Take it again without flash.",
    "glare": "Light is reflected from the skin. Take it again without flash, or tilt the camera a little.",
    "blurred": "The picture is blurred. Hold still, and focus on the lesion.",
    "no_lesion": "Hardly any lesion can be told from the skin. Bring it to the middle, with some skin around it.",
}


def assess(pixels: "np.ndarray", *, width: int, height: int) -> list[Finding]:
    """List what is wrong with a picture; an empty list means that it is good enough.

    Args:
        pixels: the square that the model sees: RGB, uint8, shape (size, size, 3).
        width: of the whole picture, in pixels.
        height: likewise.
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
    elif (burnt_out := _share(luma >= GLARE_LUMA)) > GLARE_SHARE:  # in a picture too bright it says no more
        findings.append(_finding("glare", burnt_out, GLARE_SHARE))
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
        laplacian -= neighbour  # in place: an array of its own for each step would take longer to get than to fill
    mean = float(laplacian.mean())  # close to 0, so that the difference below loses nothing
    return float(np.vdot(laplacian, laplacian)) / laplacian.size - mean**2


def largest_contrast(pixels: "np.ndarray") -> float:
    """Measure how far the place of the most different colour is from the usual one: a distance in RGB, 0..442.

    Averages over PLACES x PLACES parts of the square: hair and pores vanish in them, a lesion does not. What does not
    divide by PLACES is left out, at the right and the lower edge.

    Args:
        pixels: RGB in 0..255: float32, shape (size, size, 3).
    """
    import numpy as np

    side = len(pixels) // PLACES  # of one part, px
    parts = pixels[: side * PLACES, : side * PLACES].reshape(PLACES, side, -1)
    places = parts.sum(axis=1).reshape(-1, side, 3).sum(axis=1) / np.float32(side**2)
    middle = len(places) // 2
    usual = np.sort(places, axis=0)[middle - 1 : middle + 1].mean(axis=0)  # the median of an even number
    return float(np.sqrt(((places - usual) ** 2).sum(axis=1).max()))


def _share(marked: "np.ndarray") -> float:
    import numpy as np

    return float(np.count_nonzero(marked)) / marked.size


def _luma(pixels: "np.ndarray") -> "np.ndarray":
    """Weigh the channels of float32 RGB as ITU-R BT.601 does: float32, shape (size, size)."""
    import numpy as np

    return pixels @ np.array([0.299, 0.587, 0.114], np.float32)


def _finding(code: str, value: float, threshold: float) -> Finding:
    return Finding(code=code, message=MESSAGES[code], value=round(float(value), 4), threshold=threshold)
