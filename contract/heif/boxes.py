"""Reads and writes boxes, the parts of an ISO base media file (ISO/IEC 14496-12, section 4.2).

Damage raises ValueError or struct.error, which the decoder translates as it does Pillow's errors.
"""

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

TO_THE_END, LARGE_SIZE = 0, 1  # sizes with a meaning of their own
FULL_BOX_BYTES: Final = 4  # version and flags, before the content of a full box


class Box(NamedTuple):
    """One box: offsets of its content in the file."""

    kind: bytes  # four bytes
    body: int
    end: int


class Reader:
    """Reads unsigned big-endian numbers one after the other."""

    def __init__(self, encoded: bytes, at: int, end: int) -> None:
        """Start at an offset of the file; reading beyond `end` raises ValueError."""
        self._encoded, self.at, self._end = encoded, at, end

    def number(self, size: int) -> int:
        """Read a number of `size` bytes; of no bytes it is 0."""
        return int.from_bytes(self.bytes(size), "big")

    def bytes(self, size: int) -> bytes:
        """Read `size` bytes."""
        start, self.at = self.at, self.at + size
        if self.at > self._end:
            raise ValueError("a box is shorter than its content")
        return self._encoded[start : self.at]

    def version(self) -> tuple[int, int]:
        """Read version and flags of a full box."""
        return self.number(1), self.number(3)


def boxes_in(encoded: bytes, start: int, end: int) -> Iterator[Box]:
    """Yield the boxes between two offsets, without those inside them."""
    at = start
    while at + 8 <= end:
        size, kind = struct.unpack_from(">L4s", encoded, at)
        body = at + 8
        if size == LARGE_SIZE:
            (size,) = struct.unpack_from(">Q", encoded, body)
            body += 8
        box_end = end if size == TO_THE_END else at + size
        if not body <= box_end <= end:
            raise ValueError(f"the size of the box {kind!r} is wrong")
        yield Box(kind, body, box_end)
        at = box_end


def find_box(encoded: bytes, kind: bytes, start: int, end: int) -> Box:
    """Find the first box of a kind; ValueError if there is none."""
    for box in boxes_in(encoded, start, end):
        if box.kind == kind:
            return box
    raise ValueError(f"there is no box {kind!r}")


def write_box(kind: bytes, *content: bytes) -> bytes:
    """Write a box."""
    body = b"".join(content)
    return struct.pack(">L4s", 8 + len(body), kind) + body


def write_full_box(kind: bytes, *content: bytes, version: int = 0) -> bytes:
    """Write a box with a version, and no flags."""
    return write_box(kind, bytes([version, 0, 0, 0]), *content)
