"""Makes HEIC files with libheif's encoder, and changes their boxes."""

import io
import struct
from typing import Any, NamedTuple

import pillow_heif
from PIL import Image

from contract.heif.boxes import Box, Reader, boxes_in, write_box

BRANDS = write_box(b"ftyp", b"heic", bytes(4), b"mif1", b"heic")


def encode_heic(picture: Image.Image, **options: Any) -> bytes:
    """Encode a picture; `tile_size`, `chroma`, `thumbnails`, `exif` and others are options of pillow-heif.

    An orientation in `exif` is also written as a property of the picture, as phones do.
    """
    if isinstance(options.get("exif"), Image.Exif):
        options["exif"] = options["exif"].tobytes()
    encoded = io.BytesIO()
    pillow_heif.from_pillow(picture).save(encoded, **{"quality": 90, **options})
    return encoded.getvalue()


def heic_of_10_bits(grey: Image.Image) -> bytes:
    """Encode a grey picture with 10 bits for each of three channels."""
    pixels = b"".join(struct.pack("<H", 257 * value) * 3 for value in grey.tobytes())
    encoded = io.BytesIO()
    pillow_heif.from_bytes("RGB;16", grey.size, pixels).save(encoded, quality=90)
    return encoded.getvalue()


def heic_of_two_pictures(primary: Image.Image, other: Image.Image) -> bytes:
    """Encode two pictures in one file; the second is the primary one."""
    file = pillow_heif.from_pillow(other)
    file.add_from_pillow(primary)
    encoded = io.BytesIO()
    file.save(encoded, quality=90, primary_index=1)
    return encoded.getvalue()


def heic_with_size(encoded: bytes, width: int, height: int) -> bytes:
    """Change the first size that a file declares; the size in its bitstream stays."""
    at = encoded.index(b"ispe") + 8
    return encoded[:at] + struct.pack(">LL", width, height) + encoded[at + 8 :]


def with_property(encoded: bytes, kind: bytes, content: bytes) -> bytes:
    """Replace the content of the first property of a kind by one of the same length."""
    at = encoded.index(kind) + 4
    (size,) = struct.unpack_from(">L", encoded, at - 8)
    assert len(content) == size - 8
    return encoded[:at] + content + encoded[at + len(content) :]


def only_a_video() -> bytes:
    """Write a HEIF file that has a track and no still picture."""
    return BRANDS + write_box(b"moov", write_box(b"mvhd", bytes(100)))


def with_reference(encoded: bytes, reference: bytes) -> bytes:
    """Add a box to `iref`: the boxes around it grow, and the items are moved."""
    meta, inside = _meta(encoded)
    changed = bytearray(encoded)
    end = inside[b"iref"].end
    for box in (meta, inside[b"iref"]):
        struct.pack_into(">L", changed, box.body - 8, box.end - box.body + 8 + len(reference))
    for item in item_places(encoded):
        (offset,) = struct.unpack_from(">L", encoded, item.start_at)
        struct.pack_into(">L", changed, item.start_at, offset + len(reference))
    changed[end:end] = reference
    return bytes(changed)


class ItemPlace(NamedTuple):
    """Where a file has the place of an item: numbers of 4 bytes."""

    item: int
    start_at: int  # of its base, or of its offset if it has no base
    extent_at: int  # of its offset and its length


def item_places(encoded: bytes) -> list[ItemPlace]:
    """List the items that have their bytes outside `meta`, each in one extent."""
    _, inside = _meta(encoded)
    reader = Reader(encoded, inside[b"iloc"].body, inside[b"iloc"].end)
    version, _ = reader.version()
    sizes = reader.number(2)
    assert sizes in (0x4400, 0x4440)  # bytes of offsets, lengths and bases
    found = []
    for _ in range(reader.number(2)):
        item = reader.number(2)
        in_file = reader.number(2) == 0 if version else True
        reader.number(2)
        start_at = reader.at
        reader.number(sizes >> 4 & 15)
        assert reader.number(2) == 1
        extent_at = reader.at
        reader.number(8)
        if in_file:
            found.append(ItemPlace(item, start_at if sizes & 0xF0 else extent_at, extent_at))
    return found


def _meta(encoded: bytes) -> tuple[Box, dict[bytes, Box]]:
    """Find the box `meta`, and the boxes in it."""
    meta = next(box for box in boxes_in(encoded, 0, len(encoded)) if box.kind == b"meta")
    return meta, {box.kind: box for box in boxes_in(encoded, meta.body + 4, meta.end)}
