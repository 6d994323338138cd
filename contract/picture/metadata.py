"""Reads the orientation and the colour profile of a JPEG, PNG or WebP file, and removes its metadata.

Pillow parses colour profiles, texts and EXIF when it opens a file. A damaged or oversized block makes it warn, or
refuse a picture whose pixels are intact. So Pillow gets only the blocks that the pixels need. The rest is read here,
with limits.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import Final, NamedTuple

from contract.heif.sniff import HEIF_CONTENT_TYPES
from contract.picture.jpeg import APP0, APP1, APP2, APP14, APP15, COMMENT, START_OF_SCAN, jpeg_segments
from contract.picture.orientation import EXIF_PREFIX, UPRIGHT, XMP_PREFIX, exif_orientation, orientation_of, raw_profile

MAX_PROFILE_BYTES: Final = 4_000_000  # profiles of presses with four inks have up to 3 MB
MAX_TEXT_BYTES: Final = 300_000  # of XMP and of a raw profile; their orientation is near the start
_JFIF_BYTES, _ADOBE_BYTES = 14, 12  # libjpeg ignores shorter blocks of these names
_ICC_PREFIX: Final = b"ICC_PROFILE\0"

_PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_PNG_PIXEL_CHUNKS: Final = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
_PNG_TEXTS: Final = frozenset({b"tEXt", b"zTXt", b"iTXt"})
_RAW_EXIF: Final = frozenset({b"Raw profile type exif", b"Raw profile type APP1"})
_XMP_KEYWORD: Final = b"XML:com.adobe.xmp"


class Stripped(NamedTuple):
    """A picture without its metadata, and the two parts that its pixels need."""

    encoded: bytes
    orientation: int  # as in EXIF, 1..8; 1 (upright) if none can be read
    profile: bytes  # an ICC profile, unchecked; empty if there is none


def strip_metadata(encoded: bytes, content_type: str) -> Stripped:
    """Reduce a picture to the blocks that its pixels need, and read its orientation and colour profile.

    Nothing is decoded and nothing is raised: damaged blocks stay for the decoder. Of an animated PNG the still picture
    remains. A WebP comes back unchanged, because its decoder skips other blocks. EXIF is preferred to XMP.

    Args:
        encoded: the bytes of the file.
        content_type: from `contract.image.sniff_content_type`.
    """
    if content_type in HEIF_CONTENT_TYPES:
        return Stripped(encoded, UPRIGHT, b"")  # its opener turns the picture, and reads its colour profile
    return {"image/jpeg": _strip_jpeg, "image/png": _strip_png, "image/webp": _strip_webp}[content_type](encoded)


def _strip_jpeg(encoded: bytes) -> Stripped:
    view, exif, xmp = memoryview(encoded), b"", b""
    kept, kept_to = [], 0
    profile: dict[int, bytes] = {}  # number -> chunk
    chunks = 0
    for marker, start, body_start, end in jpeg_segments(encoded):
        if marker == START_OF_SCAN:
            break
        body = encoded[body_start:end]
        if not _is_jpeg_metadata(marker, body):
            continue
        kept.append(view[kept_to:start])
        kept_to = end
        if marker == APP1 and body.startswith(EXIF_PREFIX) and not exif:
            exif = body
        elif marker == APP1 and body.startswith(XMP_PREFIX) and not xmp:
            xmp = body
        elif marker == APP2 and body.startswith(_ICC_PREFIX) and len(body) > len(_ICC_PREFIX) + 2:
            number, chunks = body[len(_ICC_PREFIX)], body[len(_ICC_PREFIX) + 1]
            profile.setdefault(number, body[len(_ICC_PREFIX) + 2 :])
    orientation = orientation_of(exif, xmp)
    complete = chunks > 0 and set(profile) == set(range(1, chunks + 1))  # ICC.1:2022, section B.4
    joined = b"".join(profile[number] for number in sorted(profile)) if complete else b""
    if not kept:
        return Stripped(encoded, orientation, b"")
    kept.append(view[kept_to:])
    return Stripped(b"".join(kept), orientation, joined if len(joined) <= MAX_PROFILE_BYTES else b"")


def _is_jpeg_metadata(marker: int, body: bytes) -> bool:
    """Return whether a block can be removed: all application blocks and comments except the two that define colours."""
    if marker == APP0 and body.startswith(b"JFIF\0"):
        return len(body) < _JFIF_BYTES
    if marker == APP14 and body.startswith(b"Adobe"):
        return len(body) < _ADOBE_BYTES
    return APP0 <= marker <= APP15 or marker == COMMENT


def _strip_png(encoded: bytes) -> Stripped:
    """Keep the chunks with pixels. Of those for colours only iCCP is used (docs/decisions/pixels.md)."""
    view, exif, raw_exif, xmp, profile = memoryview(encoded), b"", b"", b"", b""
    kept, at = [view[: len(_PNG_SIGNATURE)]], len(_PNG_SIGNATURE)
    while at + 8 <= len(encoded):
        length, kind = struct.unpack_from(">L4s", encoded, at)
        end = at + 12 + length  # length and kind before the body, four bytes of checksum after it
        if kind in _PNG_PIXEL_CHUNKS:
            kept.append(view[at:end])
        elif kind == b"eXIf":
            exif = encoded[at + 8 : at + 8 + length]
        elif kind == b"iCCP" and not profile:
            profile = _inflated(
                encoded[at + 8 : at + 8 + length].partition(b"\0")[2][1:], MAX_PROFILE_BYTES, whole=True
            )
        elif kind in _PNG_TEXTS:
            keyword = encoded[at + 8 : at + 8 + min(length, 80)].partition(b"\0")[0]
            if keyword in _RAW_EXIF and not raw_exif:
                raw_exif = raw_profile(_png_text(kind, encoded[at + 8 : at + 8 + length]))
            elif keyword == _XMP_KEYWORD and not xmp:
                xmp = _png_text(kind, encoded[at + 8 : at + 8 + length])
        if kind == b"IEND":
            break
        at = end
    if exif_orientation(exif) is None:
        exif = raw_exif
    return Stripped(b"".join(kept), orientation_of(exif, xmp or raw_exif), profile)


def _png_text(kind: bytes, body: bytes) -> bytes:
    """Read the first MAX_TEXT_BYTES of a text chunk (PNG specification, section 11.3.3)."""
    _, _, rest = body.partition(b"\0")  # after the keyword
    if kind == b"tEXt":
        return rest[:MAX_TEXT_BYTES]
    if kind == b"zTXt":
        return _inflated(rest[1:], MAX_TEXT_BYTES)
    compressed = rest[:1] == b"\1"
    text = rest[2:].partition(b"\0")[2].partition(b"\0")[2]  # after the language and the translated keyword
    return _inflated(text, MAX_TEXT_BYTES) if compressed else text[:MAX_TEXT_BYTES]


def _inflated(compressed: bytes, at_most: int, *, whole: bool = False) -> bytes:
    """Decompress up to `at_most` bytes; with `whole`, nothing if there are more. Empty if the data is damaged."""
    try:
        inflated = zlib.decompressobj().decompress(compressed, at_most + 1)
    except zlib.error:
        return b""
    if len(inflated) > at_most:
        return b"" if whole else inflated[:at_most]
    return inflated


def _strip_webp(encoded: bytes) -> Stripped:
    found: dict[bytes, bytes] = {}
    for kind, body in _webp_chunks(encoded):
        if kind in (b"EXIF", b"XMP ", b"ICCP"):
            found.setdefault(kind, body)
    profile = found.get(b"ICCP", b"")
    orientation = orientation_of(found.get(b"EXIF", b""), found.get(b"XMP ", b"")[:MAX_TEXT_BYTES])
    return Stripped(encoded, orientation, profile if len(profile) <= MAX_PROFILE_BYTES else b"")


def _webp_chunks(encoded: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 12  # after RIFF, its length, and WEBP
    while at + 8 <= len(encoded):
        kind, length = struct.unpack_from("<4sL", encoded, at)
        yield kind, encoded[at + 8 : at + 8 + length]
        at += 8 + length + length % 2  # chunks start at even offsets
