"""The orientation in EXIF, in XMP and in the texts of a PNG."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from contract.picture.orientation import exif_orientation, orientation_of, raw_profile, xmp_orientation
from tests.picture_blocks import exif_block, raw_profile_text, xmp_packet


@pytest.mark.parametrize("prefix", [b"", b"Exif\0\0"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [1, 3, 4])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_is_found_in_both_byte_orders_and_as_every_whole_number(
    order: str, orientation: int, kind: int, prefix: bytes
) -> None:
    assert exif_orientation(prefix + exif_block(order, orientation, kind=kind, before=orientation)) == orientation


@pytest.mark.parametrize("orientation", [0, 9, 65_535])
def test_an_orientation_that_does_not_exist_counts_as_none(orientation: int) -> None:
    assert exif_orientation(exif_block("<", orientation)) is None


def test_an_orientation_with_several_values_counts_as_none() -> None:
    entry = struct.pack("<HHLHH", 0x0112, 3, 5, 6, 0)
    assert exif_orientation(b"II*\0" + struct.pack("<LH", 8, 1) + entry) is None


@given(st.binary(max_size=200))
def test_any_bytes_have_an_orientation_or_none(rest: bytes) -> None:
    for start in (b"", b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08"):
        assert exif_orientation(start + rest) in {None, *range(1, 9)}


def test_pillow_reads_the_same_orientation() -> None:
    exif = Image.Exif()
    exif.load(b"Exif\0\0" + exif_block(">", 6, before=3))
    assert exif[0x0112] == exif_orientation(exif_block(">", 6, before=3)) == 6


@pytest.mark.parametrize("orientation", range(1, 9))
def test_xmp_has_the_orientation_as_attribute_or_as_element(orientation: int) -> None:
    assert xmp_orientation(xmp_packet(orientation)) == orientation
    assert xmp_orientation(xmp_packet(orientation, element=True)) == orientation
    assert xmp_orientation(b"<a tiff:Orientation = '%d'/>" % orientation) == orientation


@pytest.mark.parametrize("xmp", [b"", b'tiff:Orientation="9"', b'tiff:Orientation="66"', b"tiff:Orientation>"])
def test_other_xmp_has_no_orientation(xmp: bytes) -> None:
    assert xmp_orientation(xmp) is None


@pytest.mark.parametrize(
    ("exif", "xmp", "expected"),
    [
        (exif_block("<", 3), xmp_packet(6), 3),
        (exif_block("<", 1), xmp_packet(6), 1),
        (exif_block("<", 0), xmp_packet(6), 6),
        (b"damaged", xmp_packet(6), 6),
        (b"", b"", 1),
    ],
)
def test_exif_wins_over_xmp(exif: bytes, xmp: bytes, expected: int) -> None:
    assert orientation_of(exif, xmp) == expected


@given(st.binary(max_size=300))
def test_a_raw_profile_is_decoded(body: bytes) -> None:
    assert raw_profile(raw_profile_text(b"exif", body)) == body


@given(st.binary(max_size=300))
def test_any_text_can_be_a_raw_profile(text: bytes) -> None:
    assert isinstance(raw_profile(b"\nexif\n 9\n" + text), bytes)


def test_a_truncated_raw_profile_keeps_its_beginning() -> None:
    assert raw_profile(b"\nexif\n    4\n0102a") == b"\1\2"
