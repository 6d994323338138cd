"""The orientation and the profile are found, and all other metadata is removed."""

import io
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from contract.image import CONTENT_TYPES
from contract.picture.jpeg import jpeg_segments
from contract.picture.metadata import MAX_PROFILE_BYTES, strip_metadata
from tests.odd_pictures import encode, odd_pictures, plain_picture
from tests.picture_blocks import (
    exif_block,
    icc_segments,
    insert_after_soi,
    jpeg_segment,
    png_text,
    with_png_chunks,
    xmp_packet,
)

KINDS = ("JPEG", "PNG", "WEBP")


@pytest.mark.parametrize(("content_type", "kind"), list(zip(CONTENT_TYPES, KINDS, strict=False)))
def test_the_orientation_is_found_in_every_format(content_type: str, kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 7
    encoded = encode(plain_picture(), kind, exif=exif, icc_profile=bytes(100_001))
    assert strip_metadata(encoded, content_type).orientation == 7


def test_a_jpeg_keeps_only_the_blocks_that_its_colours_need() -> None:
    decorated = encode(plain_picture("CMYK"), "JPEG", exif=Image.Exif(), icc_profile=bytes(70_000), comment=b"words")
    bare = strip_metadata(insert_after_soi(decorated, jpeg_segment(0xED, b"Photoshop 3.0\0")), "image/jpeg").encoded
    assert bare == strip_metadata(encode(plain_picture("CMYK"), "JPEG"), "image/jpeg").encoded
    assert 0xEE in {segment.marker for segment in jpeg_segments(bare)}  # Adobe's: CMYK or YCCK


def test_a_png_keeps_its_pixels_palette_and_transparency() -> None:
    picture = plain_picture().quantize(8)
    decorated = encode(picture, "PNG", transparency=2, icc_profile=bytes(5000), dpi=(300, 300), exif=exif_block("<", 3))
    assert strip_metadata(decorated, "image/png") == (
        encode(picture, "PNG", transparency=2),
        3,
        bytes(5000),
    )


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
    bare = strip_metadata(encoded, content_type).encoded
    with Image.open(io.BytesIO(encoded)) as whole, Image.open(io.BytesIO(bare)) as stripped:
        assert whole.convert("RGB").tobytes() == stripped.convert("RGB").tobytes()


@given(st.sampled_from(CONTENT_TYPES), st.binary(max_size=300))
def test_any_bytes_can_be_stripped(content_type: str, encoded: bytes) -> None:
    bare, orientation, _ = strip_metadata(encoded, content_type)
    assert len(bare) <= len(encoded)
    assert 1 <= orientation <= 8


def test_fill_bytes_are_removed_with_their_block() -> None:
    """Otherwise they would turn the bytes after the block into a marker."""
    left_over = b"\x01\x00\x1f\xff\xee\x00\x03"
    encoded = b"\xff\xd8" + b"\xff" * 4 + b"\xff\xe0\x00\x04ab" + left_over
    assert strip_metadata(encoded, "image/jpeg").encoded == b"\xff\xd8" + left_over


PROFILE = random.Random(3).randbytes(200_000)


@pytest.mark.parametrize(("content_type", "kind"), list(zip(CONTENT_TYPES, KINDS, strict=False)))
def test_the_profile_is_found_in_every_format(content_type: str, kind: str) -> None:
    encoded = encode(plain_picture(), kind, icc_profile=PROFILE)
    assert strip_metadata(encoded, content_type).profile == PROFILE


@pytest.mark.parametrize(("content_type", "kind"), list(zip(CONTENT_TYPES, KINDS, strict=False)))
def test_a_profile_over_the_limit_is_ignored(content_type: str, kind: str) -> None:
    encoded = encode(plain_picture(), kind, icc_profile=bytes(MAX_PROFILE_BYTES + 1))
    assert strip_metadata(encoded, content_type).profile == b""


@given(st.permutations(range(6)))
def test_the_segments_of_a_profile_may_have_any_order(order: list[int]) -> None:
    segments = icc_segments(PROFILE, 6)
    encoded = insert_after_soi(encode(plain_picture(), "JPEG"), b"".join(segments[number] for number in order))
    assert strip_metadata(encoded, "image/jpeg").profile == PROFILE


@pytest.mark.parametrize("missing", range(6))
def test_a_profile_with_a_missing_segment_is_ignored(missing: int) -> None:
    segments = icc_segments(PROFILE, 6)
    del segments[missing]
    encoded = insert_after_soi(encode(plain_picture(), "JPEG"), b"".join(segments))
    assert strip_metadata(encoded, "image/jpeg").profile == b""


def test_exif_is_preferred_to_xmp() -> None:
    xmp = png_text(b"iTXt", b"XML:com.adobe.xmp", xmp_packet(8))
    assert strip_metadata(with_png_chunks(encode(plain_picture(), "PNG"), xmp), "image/png").orientation == 8
    both = with_png_chunks(encode(plain_picture(), "PNG", exif=exif_block("<", 1)), xmp)
    assert strip_metadata(both, "image/png").orientation == 1
