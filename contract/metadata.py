"""Reads the EXIF orientation of a JPEG, PNG or WebP file, and removes its metadata.

Pillow parses colour profiles, texts and EXIF when it opens a file. A damaged or oversized block makes it warn, or
refuse a picture whose pixels are intact. So Pillow gets only the blocks that the pixels need. Of all other blocks only
the EXIF orientation is read, here.
"""

import re
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

ORIENTATION_TAG: Final = 0x0112
UPRIGHT: Final = 1  # the orientation of pixels that need no turning

SEQUENTIAL_FRAMES: Final = frozenset({0xC0, 0xC1, 0xC9})  # SOF0 baseline, SOF1 extended, SOF9 arithmetic coding
START_OF_SCAN: Final = 0xDA
_END_OF_IMAGE: Final = 0xD9
_APP0, _APP1, _APP14, _APP15, _COMMENT = 0xE0, 0xE1, 0xEE, 0xEF, 0xFE
_STANDALONE: Final = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length: TEM, RST0..RST7, SOI
_MARKER: Final = re.compile(rb"\xff+([\x01-\xcf\xd8-\xfe])")  # in a scan, FF 00 is data and FF D0..D7 separates it
_JFIF_BYTES, _ADOBE_BYTES = 14, 12  # libjpeg ignores shorter blocks of these names

_PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_PNG_PIXEL_CHUNKS: Final = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})

_EXIF_PREFIX: Final = b"Exif\0\0"
_SHORT: Final = 3  # TIFF's type of a 16-bit number


class Segment(NamedTuple):
    """One marker of a JPEG and its block: offsets into the file."""

    marker: int  # its second byte
    start: int  # of the fill bytes before the marker, if there are any
    body: int  # the first byte after the length
    end: int  # for a scan: the end of its header


def strip_metadata(encoded: bytes, content_type: str) -> tuple[bytes, int]:
    """Reduce a picture to the blocks that its pixels need, and read its orientation.

    Nothing is decoded and nothing is raised: damaged blocks stay for the decoder. Of an animated PNG the still picture
    remains. A WebP comes back unchanged, because its decoder skips other blocks.

    Args:
        encoded: the bytes of the file.
        content_type: from `contract.image.sniff_content_type`.

    Returns:
        The bytes of the same picture, and its EXIF orientation, 1..8; 1 (upright) if none can be read.
    """
    if content_type in ("image/heic", "image/heif"):
        return encoded, UPRIGHT  # its opener reads no metadata, and turns the picture
    split = {"image/jpeg": _split_jpeg, "image/png": _split_png, "image/webp": _split_webp}[content_type]
    bare, exif = split(encoded)
    return bare, read_orientation(exif)


def read_orientation(exif: bytes) -> int:
    """Find the orientation in an EXIF block (a TIFF file: TIFF 6.0, section 2); 1 if it has none or is damaged."""
    tiff = exif.removeprefix(_EXIF_PREFIX)
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None:
        return UPRIGHT
    try:
        (directory,) = struct.unpack_from(f"{order}L", tiff, 4)
        (entries,) = struct.unpack_from(f"{order}H", tiff, directory)
        for entry in range(entries):
            tag, kind, _, value = struct.unpack_from(f"{order}HHLH", tiff, directory + 2 + 12 * entry)
            if tag == ORIENTATION_TAG:
                return value if kind == _SHORT and 1 <= value <= 8 else UPRIGHT
    except struct.error:  # an offset points outside the block
        return UPRIGHT
    return UPRIGHT


def jpeg_segments(encoded: bytes) -> Iterator[Segment]:
    """Yield the segments of a JPEG (ITU-T T.81, annex B), up to its end or its first damage."""
    at = 2  # after SOI
    while match := _MARKER.search(encoded, at):
        marker = match[1][0]
        if marker == _END_OF_IMAGE:
            return
        body = at = match.end()
        if marker not in _STANDALONE:
            length = int.from_bytes(encoded[at : at + 2], "big")
            body, at = at + 2, at + length
            if length < 2 or at > len(encoded):
                return
        yield Segment(marker, match.start(), body, at)


def _split_jpeg(encoded: bytes) -> tuple[bytes, bytes]:
    view, exif = memoryview(encoded), b""
    kept, kept_to = [], 0
    for marker, start, body_start, end in jpeg_segments(encoded):
        if marker == START_OF_SCAN:
            break
        body = encoded[body_start:end]
        if not _is_jpeg_metadata(marker, body):
            continue
        kept.append(view[kept_to:start])
        kept_to = end
        if marker == _APP1 and body.startswith(_EXIF_PREFIX) and not exif:
            exif = body
    if not kept:
        return encoded, exif
    kept.append(view[kept_to:])
    return b"".join(kept), exif


def _is_jpeg_metadata(marker: int, body: bytes) -> bool:
    """Return whether a block can be removed: all application blocks and comments except the two that define colours."""
    if marker == _APP0 and body.startswith(b"JFIF\0"):
        return len(body) < _JFIF_BYTES
    if marker == _APP14 and body.startswith(b"Adobe"):
        return len(body) < _ADOBE_BYTES
    return _APP0 <= marker <= _APP15 or marker == _COMMENT


def _split_png(encoded: bytes) -> tuple[bytes, bytes]:
    view, exif = memoryview(encoded), b""
    kept, at = [view[: len(_PNG_SIGNATURE)]], len(_PNG_SIGNATURE)
    while at + 8 <= len(encoded):
        length, kind = struct.unpack_from(">L4s", encoded, at)
        end = at + 12 + length  # length and kind before the body, four bytes of checksum after it
        if kind in _PNG_PIXEL_CHUNKS:
            kept.append(view[at:end])
        elif kind == b"eXIf":
            exif = encoded[at + 8 : at + 8 + length]
        if kind == b"IEND":
            break
        at = end
    return b"".join(kept), exif


def _split_webp(encoded: bytes) -> tuple[bytes, bytes]:
    at = 12  # after RIFF, its length, and WEBP
    while at + 8 <= len(encoded):
        kind, length = struct.unpack_from("<4sL", encoded, at)
        if kind == b"EXIF":
            return encoded, encoded[at + 8 : at + 8 + length]
        at += 8 + length + length % 2  # chunks start at even offsets
    return encoded, b""
