"""A change of the decoder's pixels must raise DECODER_VERSION, or caches of decoded pictures would be out of date.

The pictures give the same pixels with every build of the codecs: PNG and lossless WebP by definition; a grey JPEG of
quality 100 whose 8 x 8 blocks are flat, because their only coefficient is an integer.
"""

import hashlib
import io
from typing import Any

import numpy as np
from PIL import Image

from contract.image import DECODER_VERSION, decode_image

# version -> SHA-256 of the decoded pixels. When this test fails and the change is meant: raise DECODER_VERSION and add
# the new hash. Never change the hash of a version that was published.
PIXELS_SHA256 = {
    1: "a2c8347b56b25019815bb9cc8b890047ffde0776e2e23ef9582e5962e50a475f",
    2: "9654723b0aea17ca75a4311b4bc0e2238972c91a7e1ff74f91698134700e14b9",
    3: "7f8791a14d8ed12a2f60cf75d46e80c991d4c3d22c494323a17971d8af0fa24d",
}
SIZES = (32, 61, 224)  # px: enlarged, and scaled down by little and by much


def pattern(width: int, height: int, channels: int) -> np.ndarray:
    """Smooth and rough parts, by integer arithmetic only: uint8, shape (height, width, channels)."""
    y, x, channel = np.ogrid[:height, :width, :channels]
    values = (3 * x + 5 * y + 70 * channel + (x * y) // 7 + 90 * ((x // 13 + y // 11) % 2)) % 256
    return np.asarray(values, np.uint8)


def encode(pixels: np.ndarray, file_format: str, orientation: int = 1, **options: Any) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, file_format, exif=exif, **options)
    return file.getvalue()


def pictures() -> dict[str, bytes]:
    """Small files of every format and of every step of the decoder."""
    colour, transparent, grey = pattern(150, 110, 3), pattern(150, 110, 4), pattern(150, 110, 1)[..., 0]
    flat_blocks = np.kron(pattern(80, 60, 1)[..., 0], np.ones((8, 8), np.uint8))
    return {
        **{f"PNG, orientation {number}": encode(colour, "PNG", number) for number in range(1, 9)},
        "PNG, transparent": encode(transparent, "PNG"),
        "PNG, grey": encode(grey, "PNG"),
        "PNG, grey of 16 bits": encode(grey.astype(np.uint16) * 251, "PNG"),
        "PNG, large enough to be reduced first": encode(pattern(1001, 1403, 3), "PNG", 8),
        "PNG, nearly the model's size": encode(pattern(225, 300, 3), "PNG"),
        "WebP": encode(colour, "WEBP", 6, lossless=True),
        "WebP, transparent": encode(transparent, "WEBP", lossless=True, exact=True),
        "JPEG": encode(flat_blocks, "JPEG", 6, quality=100),
    }


def test_other_pixels_need_another_decoder_version() -> None:
    digest = hashlib.sha256()
    for name, encoded in pictures().items():
        for size in SIZES:
            digest.update(f"{name} {size}".encode() + decode_image(encoded, size).pixels.tobytes())
    assert digest.hexdigest() == PIXELS_SHA256.get(DECODER_VERSION), (
        "The decoder returns other pixels than DECODER_VERSION promises: see PIXELS_SHA256."
    )
