"""The picture that all are asked about."""

import io
from pathlib import Path

import numpy as np
from PIL import Image


def choose_picture(named: Path | None, dataset: Path) -> tuple[str, bytes]:
    """Take the one that is named, else the median of HAM10000's originals by size, else paint one.

    Returns:
        What to call it, and its bytes.
    """
    if named:
        return named.name, named.read_bytes()
    if originals := sorted((dataset / "originals").glob("*.jpg"), key=lambda path: path.stat().st_size):
        chosen = originals[len(originals) // 2]
        return chosen.stem, chosen.read_bytes()
    return "a painted picture", painted_picture()


def painted_picture() -> bytes:
    """Paint a JPEG of 600x450 with as much detail as a dermatoscopic picture: about 70 kB."""
    noise = np.random.default_rng(0).integers(0, 256, (45, 60, 3), np.uint8)
    encoded = io.BytesIO()
    Image.fromarray(noise).resize((600, 450), Image.Resampling.BICUBIC).save(encoded, "JPEG", quality=95)
    return encoded.getvalue()
