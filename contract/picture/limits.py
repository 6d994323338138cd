"""The limits of the decoder, checked in the header of a picture before anything is decoded."""

import struct
from typing import Final

from contract.errors import TooFewPixelsError, TooManyPixelsError, UnreadableImageError
from contract.picture.jpeg import LOSSLESS, count_scans, is_decodable, read_frame

MAX_PIXELS: Final = 50_000_000  # a 50-megapixel phone photo; above it, a small file can be a decompression bomb
MAX_DECODED_BYTES: Final = 300_000_000  # so that the function fits into 512 MB: docs/inference.md
PNG_BYTES_PER_PX: Final = 4
WEBP_BYTES_PER_PX: Final = 16  # two canvases of the animation decoder, its frame as bytes, and the picture
JPEG_BYTES_PER_SAMPLE: Final = 2  # if there are several scans: the coefficients of the whole picture
MAX_SCANS: Final = 100  # of a progressive JPEG; encoders make about ten, and each visits every pixel for a few bytes
MIN_SIDE_PX: Final = 32  # a smaller picture shows no lesion

UNREADABLE: Final = "The picture is damaged or incomplete and cannot be read. Please send it again or send another."


def check_size(width: int, height: int, bytes_per_px: float, kind: str = "picture") -> None:
    """Check the sides of a picture, and the memory that its decoder needs.

    Raises:
        TooManyPixelsError: it has more than MAX_PIXELS or needs more than MAX_DECODED_BYTES.
        TooFewPixelsError: a side is shorter than MIN_SIDE_PX.
    """
    allowed = min(MAX_PIXELS, int(MAX_DECODED_BYTES / bytes_per_px))
    if width * height > allowed:
        raise TooManyPixelsError(
            f"The {kind} has {width} x {height} pixels; at most {allowed // 1_000_000} megapixels are allowed. "
            "Please send a smaller copy."
        )
    if min(width, height) < MIN_SIDE_PX:
        raise TooFewPixelsError(
            f"The picture has {width} x {height} pixels; each side must have at least {MIN_SIDE_PX}. "
            "Please send the original."
        )


def check_jpeg(encoded: bytes) -> bool:
    """Check kind, size and scans of a JPEG; return whether it can be decoded at a smaller scale.

    Raises:
        UnreadableImageError: libjpeg-turbo has no decoder for this kind, or it has more than MAX_SCANS scans.
        TooManyPixelsError, TooFewPixelsError: see `check_size`.
    """
    frame, single_scan = read_frame(encoded)
    if frame is None:
        return True  # Pillow refuses it
    if not is_decodable(frame, encoded):
        raise UnreadableImageError(
            "The picture is a rare kind of JPEG that is not supported. Please save it again as an ordinary JPEG or PNG."
        )
    samples = frame.samples_per_pixel()
    if not single_scan and samples:
        check_size(frame.width, frame.height, samples * JPEG_BYTES_PER_SAMPLE, "progressive JPEG")
        if count_scans(encoded, MAX_SCANS) > MAX_SCANS:
            raise UnreadableImageError(
                f"The picture is stored in more than {MAX_SCANS} scans, which no camera does. Please save it again."
            )
    return frame.marker != LOSSLESS


def webp_canvas(encoded: bytes) -> tuple[int, int]:
    """Read width and height from a WebP header (RFC 9649, sections 2.5 to 2.7)."""
    chunk, body = encoded[12:16], encoded[20:30]
    if len(body) == 10 and chunk == b"VP8X":
        return 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
    if len(body) == 10 and chunk == b"VP8L":
        packed = int.from_bytes(body[1:5], "little")
        return 1 + (packed & 0x3FFF), 1 + (packed >> 14 & 0x3FFF)
    if len(body) == 10 and chunk == b"VP8 ":
        width, height = struct.unpack("<HH", body[6:10])
        return width & 0x3FFF, height & 0x3FFF
    raise UnreadableImageError(UNREADABLE)
