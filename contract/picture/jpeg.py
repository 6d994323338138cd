"""Reads the structure of a JPEG (ITU-T T.81) without decoding it: its segments, its kind, and the end of its pixels."""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

APP0, APP1, APP2, APP14, APP15, COMMENT = 0xE0, 0xE1, 0xE2, 0xEE, 0xEF, 0xFE
START_OF_SCAN: Final = 0xDA
LOSSLESS: Final = 0xC3
_PROGRESSIVE: Final = frozenset({0xC2, 0xCA})  # Huffman and arithmetic coding
_DECODABLE: Final = frozenset({0xC0, 0xC1, 0xC9, LOSSLESS, *_PROGRESSIVE})  # libjpeg-turbo has no hierarchical JPEG
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # Huffman tables, reserved, arithmetic conditioning
END_OF_IMAGE: Final = b"\xff\xd9"
_START_OF_IMAGE, _END_OF_IMAGE = 0xD8, 0xD9
_STANDALONE: Final = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length: TEM, RST0..RST7, SOI
_MARKER: Final = re.compile(rb"\xff+([\x01-\xcf\xd8-\xfe])")  # in a scan, FF 00 is data and FF D0..D7 separates it
_COEFFICIENTS: Final = 64  # of a block
# What phones write after a picture: a block of Samsung's or their index, or an MP4 film.
_TRAILER: Final = re.compile(rb"(?:\0\0.{6})?MotionPhoto_Data|SEFH|....ftyp(?:mp4|isom|qt  |avc1|3gp|heic)", re.DOTALL)


class Segment(NamedTuple):
    """One marker of a JPEG and its block: offsets into the file."""

    marker: int  # its second byte
    start: int  # of the fill bytes before the marker, if there are any
    body: int  # the first byte after the length
    end: int  # for a scan: the end of its header


class Frame(NamedTuple):
    """The header of a JPEG's pixels."""

    marker: int  # SOF0 to SOF15: its second byte
    bits: int  # of a sample
    width: int
    height: int
    components: tuple[tuple[int, int, int], ...]  # of each: its number, and its horizontal and vertical sampling

    def samples_per_pixel(self) -> float:
        """Return 3 for colour at full resolution, 1.5 for colour at half resolution; 0 for a damaged header."""
        across = max((h for _, h, _ in self.components), default=0)
        down = max((v for _, _, v in self.components), default=0)
        return sum(h * v for _, h, v in self.components) / (across * down) if across and down else 0.0


def jpeg_segments(encoded: bytes) -> Iterator[Segment]:
    """Yield the segments of a JPEG (annex B), up to its end or its first damage."""
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


def read_frame(encoded: bytes) -> tuple[Frame | None, bool]:
    """Read the frame header; also return whether the first scan has all components at once, in full precision.

    libjpeg then decodes row by row; otherwise it keeps the coefficients of the whole picture.
    """
    frame = None
    for segment in jpeg_segments(encoded):
        body = encoded[segment.body : segment.end]
        if segment.marker in _FRAMES and len(body) >= 6:
            frame = _frame(segment.marker, body)
        if segment.marker == START_OF_SCAN:
            sequential = frame is not None and frame.marker not in _PROGRESSIVE
            return frame, frame is not None and sequential and body[:1] == bytes([len(frame.components)])
    return frame, False


def is_decodable(frame: Frame, encoded: bytes) -> bool:
    """Return whether libjpeg-turbo and Pillow can decode a JPEG of this kind."""
    if frame.marker not in _DECODABLE or frame.bits != 8:
        return False
    return frame.marker != LOSSLESS or not _stored_as_luma_and_chroma(encoded)


def count_scans(encoded: bytes, at_most: int) -> int:
    """Count the scans of a JPEG, up to one more than `at_most`."""
    scans = 0
    for segment in jpeg_segments(encoded):
        scans += segment.marker == START_OF_SCAN
        if scans > at_most:
            break
    return scans


def unterminated_pixels(encoded: bytes) -> bytes | None:
    """Cut a JPEG without an end-of-image marker (EOI) behind the last byte that can belong to its pixels.

    Some phones forget the marker, or write a film or another picture in its place.

    Returns:
        The picture without what follows its pixels; None if it has its marker, or if whole scans are missing.
    """
    missing: dict[tuple[int, int], int] = {}  # (component, coefficient) -> bits that are still missing
    for segment in jpeg_segments(encoded):
        body = encoded[segment.body : segment.end]
        if segment.marker in _FRAMES and len(body) >= 6:
            frame = _frame(segment.marker, body)
            coefficients = 1 if frame.marker == LOSSLESS else _COEFFICIENTS
            missing = {(number, index): 16 for number, _, _ in frame.components for index in range(coefficients)}
        if segment.marker == START_OF_SCAN and missing:
            _take_scan(missing, body, progressive=frame.marker in _PROGRESSIVE)
            if not any(missing.values()):
                return _cut_scan(encoded, segment.end)
    return None


def _cut_scan(encoded: bytes, start: int) -> bytes | None:
    """Cut the data of the last scan, which begins at `start`, at the next marker or at a known trailer."""
    marker = _MARKER.search(encoded, start)
    end = marker.start() if marker else len(encoded)
    trailer = _TRAILER.search(encoded, start, end)
    if trailer:
        end = trailer.start()
    elif (marker is None or marker[1][0] != _START_OF_IMAGE) and encoded.find(END_OF_IMAGE, start) >= 0:
        return None
    return encoded[:end].rstrip(b"\xff")


def _frame(marker: int, body: bytes) -> Frame:
    components = tuple(
        (number, sampling >> 4, sampling & 15)
        for number, sampling in zip(body[6 : 6 + 3 * body[5] : 3], body[7 : 7 + 3 * body[5] : 3], strict=False)
    )
    height, width = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
    return Frame(marker, body[0], width, height, components)


def _take_scan(missing: dict[tuple[int, int], int], header: bytes, *, progressive: bool) -> None:
    """Note what a scan brings: coefficients `first` to `last` of its components, down to bit `low` (annex G)."""
    count = header[0] if header else 0
    numbers, rest = header[1 : 1 + 2 * count : 2], header[1 + 2 * count :]
    if len(rest) < 3:
        return
    first, last, low = (rest[0], rest[1], rest[2] & 15) if progressive else (0, _COEFFICIENTS - 1, 0)
    for number in numbers:
        for index in range(first, min(last, _COEFFICIENTS - 1) + 1):
            if (number, index) in missing:
                missing[number, index] = low


def _stored_as_luma_and_chroma(encoded: bytes) -> bool:
    """Return whether Adobe's block says YCbCr or YCCK, which libjpeg-turbo does not convert in a lossless JPEG."""
    for segment in jpeg_segments(encoded):
        body = encoded[segment.body : segment.end]
        if segment.marker == APP14 and body.startswith(b"Adobe") and len(body) >= 12:
            return body[11] != 0
    return False
