"""The picture that all candidates classify."""

import io
from pathlib import Path

import numpy as np
from PIL import Image


def choose_picture(chosen: Path | None, dataset: Path) -> tuple[str, bytes]:
    """Read the chosen file, else the original of HAM10000 with the median file size, else create a picture.

    Returns:
        The name for the output, and the file's bytes.
    """
    if chosen:
        return chosen.name, chosen.read_bytes()
    if originals := sorted((dataset / "originals").glob("*.jpg"), key=lambda path: path.stat().st_size):
        median = originals[len(originals) // 2]
        return median.stem, median.read_bytes()
    return "a generated picture", generate_picture()


def generate_picture() -> bytes:
    """Create a JPEG of 600x450 with as much detail as a dermatoscopic picture: about 70 kB."""
    noise = np.random.default_rng(0).integers(0, 256, (45, 60, 3), np.uint8)
    encoded = io.BytesIO()
    Image.fromarray(noise).resize((600, 450), Image.Resampling.BICUBIC).save(encoded, "JPEG", quality=95)
    return encoded.getvalue()
