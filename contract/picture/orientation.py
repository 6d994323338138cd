"""Finds how a picture must be turned: the orientation in EXIF, in XMP, and in the texts of older PNG files."""

import re
import struct
from typing import Final

ORIENTATION_TAG: Final = 0x0112
UPRIGHT: Final = 1  # the orientation of pixels that need no turning
EXIF_PREFIX: Final = b"Exif\0\0"
XMP_PREFIX: Final = b"http://ns.adobe.com/xap/1.0/\0"  # of XMP in a JPEG

_NUMBERS: Final = {1: "B", 3: "H", 4: "L"}  # TIFF's types BYTE, SHORT and LONG; the standard says SHORT
# XMP has properties as attributes or as elements (ISO 16684-1, section 7.4).
_IN_XMP: Final = re.compile(rb"tiff:Orientation\s*(?:=\s*[\"']|>)\s*([1-8])\s*[\"'<]")
_RAW_PROFILE: Final = re.compile(rb"\s*\w+\s+\d+\s+([0-9a-fA-F\s]*)")  # ImageMagick: name, length, hexadecimal digits


def orientation_of(exif: bytes, xmp: bytes) -> int:
    """Return the orientation, 1..8: EXIF's if it has one, else XMP's, else 1 (upright)."""
    return exif_orientation(exif) or xmp_orientation(xmp) or UPRIGHT


def exif_orientation(exif: bytes) -> int | None:
    """Find the orientation in an EXIF block (a TIFF file: TIFF 6.0, section 2); None if it has none or is damaged."""
    tiff = exif.removeprefix(EXIF_PREFIX)
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None:
        return None
    try:
        (directory,) = struct.unpack_from(f"{order}L", tiff, 4)
        (entries,) = struct.unpack_from(f"{order}H", tiff, directory)
        for entry in range(entries):
            at = directory + 2 + 12 * entry
            tag, kind, count = struct.unpack_from(f"{order}HHL", tiff, at)
            if tag == ORIENTATION_TAG:
                if kind not in _NUMBERS or count != 1:
                    return None
                (value,) = struct.unpack_from(order + _NUMBERS[kind], tiff, at + 8)
                return value if 1 <= value <= 8 else None
    except struct.error:  # an offset points outside the block
        return None
    return None


def xmp_orientation(xmp: bytes) -> int | None:
    """Find `tiff:Orientation` in an XMP packet; None if it has none."""
    match = _IN_XMP.search(xmp)
    return int(match[1]) if match else None


def raw_profile(text: bytes) -> bytes:
    """Decode a PNG text with the keyword "Raw profile type ...", as ImageMagick writes EXIF; empty if it is damaged."""
    match = _RAW_PROFILE.match(text)
    if match is None:
        return b""
    digits = b"".join(match[1].split())
    return bytes.fromhex(digits[: len(digits) // 2 * 2].decode("ascii"))
