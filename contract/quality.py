"""Is this picture good enough to be judged? Size, exposure and blur, as numbers with thresholds.

The thresholds lie outside the range of HAM10000: of 300 of its pictures none is found wanting, and of the same
pictures blurred by 3 px (of 256) all but a few are.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np

SHORT_SIDE_PX: Final = 160  # of the whole picture; HAM10000 was published at 450
DARK_LUMA: Final = 45.0  # mean of the square, 0..255; HAM10000 lies within 92..214
BRIGHT_LUMA: Final = 235.0
SHARPNESS: Final = 4.0  # variance of the Laplacian; HAM10000: 10 or more at 224 px, 16 or more at 128 px


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One way in which a picture is too poor: what was measured, the threshold it missed, and what to do."""

    code: str
    message: str
    value: float
    threshold: float


def assess(pixels: "np.ndarray", *, width: int, height: int) -> list[Finding]:
    """List what is wrong with a picture; an empty list means that it is good enough.

    Args:
        pixels: the square that the model sees: RGB, uint8, shape (size, size, 3).
        width: of the whole picture, in pixels.
        height: likewise.
    """
    luma = _luma(pixels)
    short_side, brightness, sharpness = min(width, height), float(luma.mean()), laplacian_variance(luma)
    findings = []
    if short_side < SHORT_SIDE_PX:
        findings.append(_finding("too_small", "The picture is small. Send the original, not a thumbnail.",
                                 short_side, SHORT_SIDE_PX))  # fmt: skip
    if brightness < DARK_LUMA:
        findings.append(_finding("too_dark", "The picture is too dark. Take it again in more light.",
                                 brightness, DARK_LUMA))  # fmt: skip
    if brightness > BRIGHT_LUMA:
        findings.append(_finding("too_bright", "The picture is too bright. Take it again without flash.",
                                 brightness, BRIGHT_LUMA))  # fmt: skip
    if sharpness < SHARPNESS:
        findings.append(_finding("blurred", "The picture is blurred. Hold still, and focus on the lesion.",
                                 sharpness, SHARPNESS))  # fmt: skip
    return findings


def laplacian_variance(luma: "np.ndarray") -> float:
    """Measure sharpness: the variance of the 4-neighbour Laplacian (Pech-Pacheco et al., ICPR 2000, LAPV).

    Args:
        luma: brightness in 0..255, shape (height, width), both at least 3.
    """
    centre = luma[1:-1, 1:-1]
    laplacian = 4 * centre - luma[:-2, 1:-1] - luma[2:, 1:-1] - luma[1:-1, :-2] - luma[1:-1, 2:]
    return float(laplacian.var())


def _luma(pixels: "np.ndarray") -> "np.ndarray":
    """Weigh the channels as ITU-R BT.601 does: float32, shape (size, size)."""
    import numpy as np

    return pixels @ np.array([0.299, 0.587, 0.114], np.float32)


def _finding(code: str, message: str, value: float, threshold: float) -> Finding:
    return Finding(code=code, message=message, value=value, threshold=threshold)
