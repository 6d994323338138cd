"""The structure of a JPEG, and where its pixels end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.picture.jpeg import count_scans, is_decodable, jpeg_segments, read_frame, unterminated_pixels
from tests.odd_pictures import encode, plain_picture
from tests.picture_blocks import film, lossless_jpeg, samsung_trailer, twelve_bit_jpeg

JPEG = encode(plain_picture(), "JPEG")
PROGRESSIVE = encode(plain_picture(), "JPEG", progressive=True)


def test_the_scans_of_a_jpeg_are_counted_up_to_its_end() -> None:
    assert [segment.marker for segment in jpeg_segments(PROGRESSIVE * 2)].count(
        0xDA
    ) == 10  # libjpeg's script for colour
    assert count_scans(PROGRESSIVE * 2, at_most=100) == 10
    assert count_scans(PROGRESSIVE, at_most=5) == 6


@pytest.mark.parametrize(("subsampling", "samples"), [(0, 3), (1, 2), (2, 1.5)])
@pytest.mark.parametrize("progressive", [False, True])
def test_the_frame_says_how_many_samples_the_decoder_keeps(
    subsampling: int, samples: float, *, progressive: bool
) -> None:
    frame, single_scan = read_frame(encode(plain_picture(), "JPEG", subsampling=subsampling, progressive=progressive))
    assert frame is not None
    assert (frame.width, frame.height, frame.bits) == (96, 72, 8)
    assert frame.samples_per_pixel() == samples
    assert single_scan is not progressive


@pytest.mark.parametrize(
    ("encoded", "decodable"),
    [
        pytest.param(JPEG, True, id="baseline"),
        pytest.param(PROGRESSIVE, True, id="progressive"),
        pytest.param(lossless_jpeg(plain_picture(size=(40, 40))), True, id="lossless"),
        pytest.param(lossless_jpeg(plain_picture("L", (40, 40)), bits=16), False, id="16 bits"),
        pytest.param(twelve_bit_jpeg(64, 48), False, id="12 bits"),
        pytest.param(JPEG.replace(b"\xff\xc0", b"\xff\xc5"), False, id="hierarchical"),
    ],
)
def test_kinds_without_a_decoder_are_recognized(encoded: bytes, *, decodable: bool) -> None:
    frame, _ = read_frame(encoded)
    assert frame is not None
    assert is_decodable(frame, encoded) is decodable


@pytest.mark.parametrize("jpeg", [JPEG, PROGRESSIVE], ids=["baseline", "progressive"])
@pytest.mark.parametrize(
    "trailer", [b"", samsung_trailer(), film(), JPEG, b"words"], ids=["none", "Samsung", "film", "JPEG", "words"]
)
def test_pixels_without_an_end_are_cut_at_their_last_byte(jpeg: bytes, trailer: bytes) -> None:
    pixels = unterminated_pixels(jpeg[:-2] + trailer)
    assert pixels == jpeg[:-2] + (trailer if trailer == b"words" else b"")


@pytest.mark.parametrize("jpeg", [JPEG, PROGRESSIVE], ids=["baseline", "progressive"])
def test_a_picture_with_an_end_is_not_cut(jpeg: bytes) -> None:
    assert unterminated_pixels(jpeg) is None
    assert unterminated_pixels(jpeg + b"words") is None


def test_a_progressive_picture_without_its_last_scan_is_not_cut() -> None:
    assert unterminated_pixels(PROGRESSIVE[: PROGRESSIVE.rindex(b"\xff\xda")]) is None


@given(st.binary(max_size=300))
def test_any_bytes_have_a_structure(rest: bytes) -> None:
    for encoded in (b"\xff\xd8\xff" + rest, JPEG[:300] + rest, PROGRESSIVE[:300] + rest):
        read_frame(encoded)
        pixels = unterminated_pixels(encoded)
        assert pixels is None or encoded.startswith(pixels)
