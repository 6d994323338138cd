"""The orientation is found, and all other metadata is removed."""

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from contract.image import CONTENT_TYPES
from contract.metadata import jpeg_segments, read_orientation, strip_metadata
from tests.odd_pictures import encode, odd_pictures, plain_picture
from tests.picture_blocks import insert_after_soi, jpeg_segment

KINDS = ("JPEG", "PNG", "WEBP")


def exif_block(order: str, orientation: int, *, kind: int = 3, before: int = 0) -> bytes:
    """Write a TIFF directory with the orientation after `before` other entries."""
    other = struct.pack(f"{order}HHLHH", 0x0100, 3, 1, 7, 0)
    entry = struct.pack(f"{order}HHLHH", 0x0112, kind, 1, orientation, 0)
    mark = {"<": b"II*\0", ">": b"MM\0*"}[order]
    return mark + struct.pack(f"{order}LH", 8, before + 1) + other * before + entry + bytes(4)


@pytest.mark.parametrize("prefix", [b"", b"Exif\0\0"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_is_found_in_both_byte_orders(order: str, orientation: int, prefix: bytes) -> None:
    assert read_orientation(prefix + exif_block(order, orientation, before=orientation)) == orientation


@pytest.mark.parametrize("orientation", [0, 9, 65_535])
def test_an_orientation_that_does_not_exist_counts_as_upright(orientation: int) -> None:
    assert read_orientation(exif_block("<", orientation)) == 1


@given(st.binary(max_size=200))
def test_any_bytes_have_an_orientation(rest: bytes) -> None:
    for start in (b"", b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08"):
        assert 1 <= read_orientation(start + rest) <= 8


def test_pillow_reads_the_same_orientation() -> None:
    exif = Image.Exif()
    exif.load(b"Exif\0\0" + exif_block(">", 6, before=3))
    assert exif[0x0112] == read_orientation(exif_block(">", 6, before=3)) == 6


@pytest.mark.parametrize(("content_type", "kind"), list(zip(CONTENT_TYPES, KINDS, strict=False)))
def test_the_orientation_is_found_in_every_format(content_type: str, kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 7
    encoded = encode(plain_picture(), kind, exif=exif, icc_profile=bytes(100_001))
    assert strip_metadata(encoded, content_type)[1] == 7


def test_a_jpeg_keeps_only_the_blocks_that_its_colours_need() -> None:
    decorated = encode(plain_picture("CMYK"), "JPEG", exif=Image.Exif(), icc_profile=bytes(70_000), comment=b"words")
    bare, _ = strip_metadata(insert_after_soi(decorated, jpeg_segment(0xED, b"Photoshop 3.0\0")), "image/jpeg")
    assert bare == strip_metadata(encode(plain_picture("CMYK"), "JPEG"), "image/jpeg")[0]
    assert 0xEE in {segment.marker for segment in jpeg_segments(bare)}  # Adobe's: CMYK or YCCK


def test_a_png_keeps_its_pixels_palette_and_transparency() -> None:
    picture = plain_picture().quantize(8)
    decorated = encode(picture, "PNG", transparency=2, icc_profile=bytes(5000), dpi=(300, 300), exif=exif_block("<", 3))
    assert strip_metadata(decorated, "image/png") == (encode(picture, "PNG", transparency=2), 3)


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("JPEG, colour profile in many segments", "image/jpeg"),
        ("JPEG, two pictures in one (MPO)", "image/jpeg"),
        ("JPEG, fill bytes between segments", "image/jpeg"),
        ("PNG, colour profile", "image/png"),
        ("PNG, animated, with a separate still picture", "image/png"),
        ("WebP, colour profile", "image/webp"),
    ],
)
def test_the_pixels_do_not_change(name: str, content_type: str) -> None:
    encoded = odd_pictures()[name].encoded
    bare, _ = strip_metadata(encoded, content_type)
    with Image.open(io.BytesIO(encoded)) as whole, Image.open(io.BytesIO(bare)) as stripped:
        assert whole.convert("RGB").tobytes() == stripped.convert("RGB").tobytes()


@given(st.sampled_from(CONTENT_TYPES), st.binary(max_size=300))
def test_any_bytes_can_be_stripped(content_type: str, encoded: bytes) -> None:
    bare, orientation = strip_metadata(encoded, content_type)
    assert len(bare) <= len(encoded)
    assert 1 <= orientation <= 8


def test_fill_bytes_are_removed_with_their_block() -> None:
    """Otherwise they would turn the bytes after the block into a marker."""
    left_over = b"\x01\x00\x1f\xff\xee\x00\x03"
    encoded = b"\xff\xd8" + b"\xff" * 4 + b"\xff\xe0\x00\x04ab" + left_over
    assert strip_metadata(encoded, "image/jpeg")[0] == b"\xff\xd8" + left_over


def test_the_scans_of_a_jpeg_are_counted_up_to_its_end() -> None:
    progressive = encode(plain_picture(), "JPEG", progressive=True)
    scans = [segment.marker for segment in jpeg_segments(progressive + progressive)].count(0xDA)
    assert scans == 10  # libjpeg's script for colour
