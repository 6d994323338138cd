"""The decoder, with every kind of picture."""

import io
import pickle
import random
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageOps

from contract.errors import AnalyzerError, UnreadableImageError, UnsupportedPictureError
from contract.image import (
    CONTENT_TYPES,
    DecodedImage,
    decode_square,
    open_picture,
    sniff_content_type,
    to_plain_jpeg,
)
from contract.picture.jpeg import jpeg_segments
from contract.picture.limits import MIN_SIDE_PX
from tests.odd_pictures import ORIENTATIONS, OddPicture, encode, odd_pictures, plain_picture
from tests.picture_blocks import film, lossless_jpeg, png_chunk, png_file, ycck_jpeg

# How far the decoder may be from a complete decode and one antialiased resize: docs/inference.md.
MEAN_BOUND, PERCENTILE_BOUND = 0.75, 5.0  # absolute difference of 8-bit values: mean, 99th percentile
SIZE = 64  # pixels, of the model's square in these tests
ROOT = Path(__file__).parents[2]


def answer_to(encoded: bytes) -> str | None:
    """Decode, and return the code of the AnalyzerError or None; other errors are raised."""
    answer: DecodedImage | AnalyzerError
    try:
        answer = decode_square(encoded, SIZE)
    except AnalyzerError as error:
        answer = error
    if isinstance(answer, AnalyzerError):
        assert 400 <= answer.status < 500
        assert str(answer).endswith(".")
        return answer.code
    assert answer.pixels.shape == (SIZE, SIZE, 3)
    assert answer.pixels.dtype == np.uint8
    return None


def colour_of(encoded: bytes) -> list[int]:
    """The mean colour of the pixels that the model sees."""
    return [round(channel) for channel in decode_square(encoded, SIZE).pixels.mean(axis=(0, 1)).tolist()]


def stored_as(orientation: int, picture: Image.Image, kind: str, **options: object) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    turn = ORIENTATIONS[orientation]
    return encode(picture if turn is None else picture.transpose(turn), kind, exif=exif, **options)


@pytest.mark.parametrize("odd", [pytest.param(odd, id=name) for name, odd in odd_pictures().items()])
def test_every_odd_picture_gets_its_pixels_or_its_error(odd: OddPicture) -> None:
    assert answer_to(odd.encoded) == odd.code


@pytest.mark.parametrize(
    "encoded", [pytest.param(odd.encoded, id=name) for name, odd in odd_pictures().items() if odd.status == 200]
)
def test_every_decodable_picture_can_be_reencoded_as_a_plain_jpeg(encoded: bytes) -> None:
    plain = to_plain_jpeg(encoded, max_side_px=200)
    with Image.open(io.BytesIO(plain)) as picture:
        assert (picture.format, picture.mode) == ("JPEG", "RGB")
        assert max(picture.size) <= 200
    assert answer_to(plain) is None


def test_an_empty_file_has_its_own_error() -> None:
    with pytest.raises(UnsupportedPictureError, match="The file is empty"):
        decode_square(b"", SIZE)


def test_the_bytes_decide_the_format() -> None:
    kinds = zip(CONTENT_TYPES, ("JPEG", "PNG", "WEBP", "HEIC"), strict=False)
    for content_type, kind in kinds:
        assert sniff_content_type(encode(plain_picture(), kind)) == content_type
    assert sniff_content_type(encode(plain_picture(), "GIF")) is None


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_decoding_twice_gives_the_same_pixels(kind: str) -> None:
    encoded = encode(plain_picture(size=(640, 480)), kind)
    assert np.array_equal(decode_square(encoded, SIZE).pixels, decode_square(encoded, SIZE).pixels)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("WEBP", {"lossless": True})])
def test_every_orientation_of_a_lossless_picture_is_turned_to_the_same_pixels(
    kind: str, options: dict[str, object], orientation: int
) -> None:
    upright = plain_picture(size=(301, 200))
    expected = decode_square(encode(upright, kind, **options), SIZE)
    decoded = decode_square(stored_as(orientation, upright, kind, **options), SIZE)
    assert np.array_equal(decoded.pixels, expected.pixels)
    assert (decoded.width, decoded.height) == (301, 200)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_every_orientation_of_a_jpeg_is_turned_to_nearly_the_same_pixels(orientation: int) -> None:
    upright = plain_picture(size=(304, 208))  # complete blocks, so that each is compressed the same in all orientations
    expected = decode_square(encode(upright, "JPEG", quality=90), SIZE)
    decoded = decode_square(stored_as(orientation, upright, "JPEG", quality=90), SIZE)
    difference = np.abs(decoded.pixels.astype(int) - expected.pixels)
    assert difference.max() <= 5  # of 255: rounding inside the DCT and of the colours at half resolution
    assert (decoded.width, decoded.height) == (304, 208)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_plain_jpeg_is_upright(orientation: int) -> None:
    upright = plain_picture(size=(304, 208))
    plain = to_plain_jpeg(stored_as(orientation, upright, "PNG"), max_side_px=152)
    with open_picture(plain) as picture:
        assert picture.size == (152, 104)
        sent = np.asarray(picture.convert("RGB")).astype(int)
    assert np.abs(sent - np.asarray(upright.resize((152, 104), Image.Resampling.BICUBIC))).mean() < 3


def test_a_plain_jpeg_has_no_metadata() -> None:
    exif = Image.Exif()
    exif[0x010F] = "a maker"
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 12.0, 30.0)})  # GPS
    encoded = encode(plain_picture(), "JPEG", exif=exif, icc_profile=bytes(3000), comment=b"who", xmp=b"<x/>")
    assert {0xE1, 0xE2, 0xFE} <= {segment.marker for segment in jpeg_segments(encoded)}
    plain = to_plain_jpeg(encoded, max_side_px=500)
    markers = [segment.marker for segment in jpeg_segments(plain)]
    assert [marker for marker in markers if 0xE0 <= marker <= 0xEF or marker == 0xFE] == [0xE0]  # only JFIF
    assert b"Exif" not in plain
    assert b"a maker" not in plain


def test_a_plain_jpeg_of_a_strip_is_accepted() -> None:
    with open_picture(to_plain_jpeg(encode(plain_picture(size=(8000, 40)), "JPEG"), max_side_px=1000)) as picture:
        assert picture.size == (1000, MIN_SIDE_PX)


def test_a_plain_jpeg_is_never_larger_than_the_picture() -> None:
    with open_picture(to_plain_jpeg(encode(plain_picture(size=(96, 72)), "PNG"), max_side_px=1000)) as picture:
        assert picture.size == (96, 72)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_transparent_pixels_are_put_on_white(kind: str) -> None:
    red = Image.new("RGBA", (80, 80), (255, 0, 0, 255))
    red.putalpha(128)
    assert colour_of(encode(red, kind, **({"lossless": True} if kind == "WEBP" else {}))) == [255, 127, 127]


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_fully_transparent_pixels_are_white_for_every_colour(mode: str) -> None:
    assert colour_of(encode(Image.new(mode, (80, 80)), "PNG")) == [255, 255, 255]


@pytest.mark.parametrize(
    ("encoded", "expected"),
    [
        pytest.param(png_file(40, 40, 16, 0, b"\x80\x40" * 1600), [128] * 3, id="16-bit grey"),
        pytest.param(png_file(40, 40, 16, 0, b"\xff\xff" * 1600), [255] * 3, id="16-bit white"),
        pytest.param(png_file(40, 40, 16, 2, b"\x80\x40\x40\x80\x20\x11" * 1600), [128, 64, 32], id="16-bit RGB"),
        pytest.param(png_file(40, 40, 4, 0, b"\x88" * 800), [136] * 3, id="4-bit grey"),
        pytest.param(encode(Image.new("1", (40, 40), 1), "PNG"), [255] * 3, id="1-bit white"),
        pytest.param(encode(Image.new("CMYK", (64, 64), (0, 255, 255, 0)), "JPEG"), [254, 0, 0], id="CMYK red"),
        pytest.param(
            png_file(40, 40, 16, 0, b"\x80\x40" * 1600, png_chunk(b"tRNS", b"\x80\x40")),
            [255] * 3,
            id="16-bit grey, transparent",
        ),
        pytest.param(
            png_file(40, 40, 16, 2, b"\x80\x40" * 4800, png_chunk(b"tRNS", b"\x80\x40" * 3)),
            [255] * 3,
            id="16-bit RGB, transparent",
        ),
        pytest.param(
            png_file(40, 40, 4, 0, b"\x88" * 800, png_chunk(b"tRNS", b"\0\x08")), [255] * 3, id="4-bit, transparent"
        ),
        pytest.param(
            png_file(40, 40, 2, 0, b"\xaa" * 400, png_chunk(b"tRNS", b"\0\x02")), [255] * 3, id="2-bit, transparent"
        ),
    ],
)
def test_every_way_to_store_colours_gives_the_right_colours(encoded: bytes, expected: list[int]) -> None:
    assert colour_of(encoded) == pytest.approx(expected, abs=1)


def test_ycck_gives_the_right_colours() -> None:
    picture = plain_picture(size=(320, 240))
    expected = decode_square(encode(picture, "PNG"), SIZE).pixels.astype(int)
    assert np.abs(decode_square(ycck_jpeg(picture), SIZE).pixels - expected).mean() < 3


def test_interlacing_changes_no_pixel() -> None:
    plain, interlaced = odd_pictures()["PNG"].encoded, odd_pictures()["PNG, interlaced"].encoded
    assert np.array_equal(decode_square(plain, SIZE).pixels, decode_square(interlaced, SIZE).pixels)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_the_first_frame_of_an_animation_is_used(kind: str) -> None:
    first, *rest = (Image.new("RGB", (64, 64), colour) for colour in ("red", "lime", "blue"))
    assert colour_of(encode(first, kind, save_all=True, append_images=rest, lossless=True)) == [255, 0, 0]


@cache
def detailed_picture(size: tuple[int, int] = (600, 450)) -> Image.Image:
    """Paint spots with hairs and grain, so that a filter that is too sharp or too soft shows."""
    picture = plain_picture(size=(600, 450))
    draw, places = ImageDraw.Draw(picture), random.Random(5)
    for _ in range(60):
        start = (places.randrange(600), places.randrange(450))
        draw.line((*start, start[0] + places.randrange(-90, 90), start[1] + places.randrange(-90, 90)), (50, 30, 20), 2)
    grain = np.random.default_rng(6).normal(0, 8, (450, 600, 3))
    grainy = Image.fromarray(np.clip(np.asarray(picture) + grain, 0, 255).astype(np.uint8))
    return grainy if size == grainy.size else grainy.resize(size, Image.Resampling.BICUBIC)


def fully_decoded(encoded: bytes) -> np.ndarray:
    """What every decoder should come close to: all pixels, and one antialiased resize."""
    with Image.open(io.BytesIO(encoded)) as picture:
        whole = picture.convert("RGB")
    return np.asarray(ImageOps.fit(whole, (224, 224), Image.Resampling.BILINEAR)).astype(int)


SIZES = [(341, 256), (450, 600), (600, 450), (800, 600), (1200, 900), (1920, 1440), (3100, 2330)]
JPEGS = [{"subsampling": 0}, {"subsampling": 1}, {"subsampling": 2}, {"progressive": True}]


@pytest.mark.parametrize("size", SIZES, ids=[f"{width}x{height}" for width, height in SIZES])
@pytest.mark.parametrize("options", JPEGS, ids=["4-4-4", "4-2-2", "4-2-0", "progressive"])
def test_a_jpeg_of_any_size_is_decoded_as_if_completely(size: tuple[int, int], options: dict[str, object]) -> None:
    encoded = encode(detailed_picture(size), "JPEG", quality=90, **options)
    difference = np.abs(decode_square(encoded, 224).pixels - fully_decoded(encoded))
    assert difference.mean() <= MEAN_BOUND
    assert np.percentile(difference, 99) <= PERCENTILE_BOUND


@pytest.mark.parametrize("size", SIZES, ids=[f"{width}x{height}" for width, height in SIZES])
@pytest.mark.parametrize(
    ("kind", "options"), [("PNG", {"compress_level": 1}), ("WEBP", {"quality": 90, "method": 0})], ids=["PNG", "WebP"]
)
def test_a_large_picture_of_another_format_is_decoded_as_if_by_one_filter(
    kind: str, options: dict[str, object], size: tuple[int, int]
) -> None:
    encoded = encode(detailed_picture(size), kind, **options)
    difference = np.abs(decode_square(encoded, 224).pixels - fully_decoded(encoded))
    assert difference.mean() <= MEAN_BOUND
    assert np.percentile(difference, 99) <= PERCENTILE_BOUND


def test_lossless_formats_of_the_same_pixels_give_the_same_answer() -> None:
    with Image.open(io.BytesIO(encode(detailed_picture(), "JPEG"))) as picture:
        whole = picture.convert("RGB")
    expected = decode_square(encode(whole, "PNG"), 224).pixels
    assert np.array_equal(decode_square(encode(whole, "WEBP", lossless=True), 224).pixels, expected)
    assert np.array_equal(decode_square(encode(detailed_picture(), "JPEG"), 224).pixels, expected)


@pytest.mark.parametrize("size", [(1200, 900), (2820, 2115), (4000, 3000)])
def test_a_larger_copy_of_a_picture_gives_nearly_the_same_pixels(size: tuple[int, int]) -> None:
    expected = decode_square(encode(detailed_picture(), "PNG"), 224).pixels.astype(int)
    larger = decode_square(encode(detailed_picture(size), "JPEG", quality=95), 224)
    difference = np.abs(larger.pixels - expected)
    assert (larger.width, larger.height) == size
    assert difference.mean() <= MEAN_BOUND
    assert np.percentile(difference, 99) <= PERCENTILE_BOUND


def test_a_12_megapixel_jpeg_is_decoded_at_a_quarter_of_its_size() -> None:
    """The time that this saves is in docs/inference.md; here the work is counted in bytes of memory."""
    encoded = encode(detailed_picture((4000, 3000)), "JPEG", quality=90)
    done = subprocess.run(
        [sys.executable, "-c", MEASURE_ONE], cwd=ROOT, input=encoded, stdout=subprocess.PIPE, check=True
    )
    assert float(done.stdout) < 12  # all pixels have 48 MB


@pytest.mark.parametrize("size", [(300, 256), (256, 300), (225, 300), (600, 450)])
def test_the_filter_is_the_one_of_the_training_pictures(size: tuple[int, int]) -> None:
    picture = detailed_picture(size)
    expected = ImageOps.fit(picture, (224, 224), Image.Resampling.BILINEAR)
    assert np.array_equal(decode_square(encode(picture, "PNG"), 224).pixels, np.asarray(expected))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P", "1", "I;16", "CMYK"])
def test_a_picture_reduced_in_strips_has_no_seams(mode: str) -> None:
    """A square of 3000 px has 9 strips; the same pixels in a small file have one."""
    side, kind = 3000, "JPEG" if mode == "CMYK" else "PNG"
    if mode == "I;16":
        ramp = np.linspace(0, 65535, side).astype(np.uint16)
        picture = Image.fromarray(np.repeat(ramp[:, None], side, axis=1))
    else:
        picture = Image.linear_gradient("L").resize((side, side)).convert("RGB" if mode == "P" else mode)
        picture = picture.quantize(64) if mode == "P" else picture
    rows = decode_square(encode(picture, kind), 224).pixels.mean(axis=(1, 2))
    steps = np.diff(rows)
    assert abs(rows[-1] - rows[0]) > 200
    assert np.abs(steps).max() < 12


def test_a_long_strip_is_decoded_around_its_middle() -> None:
    strip = Image.new("RGB", (60_000, 400), "red")
    strip.paste("lime", (29_000, 0, 31_000, 400))
    decoded = decode_square(encode(strip, "PNG", compress_level=1), SIZE)
    assert decoded.pixels.mean(axis=(0, 1)).tolist() == [0, 255, 0]
    assert (decoded.width, decoded.height) == (60_000, 400)


TURNED = [name for name in odd_pictures() if "orientation in" in name or "orientation as" in name or "50 MB" in name]
TURNED = [name for name in TURNED if "profile that" not in name or "raw" in name]


@pytest.mark.parametrize("name", [*TURNED, "JPEG, orientation 0 in EXIF and 6 in XMP"])
def test_an_orientation_is_found_wherever_programs_write_it(name: str) -> None:
    kind = {"JPE": "JPEG", "PNG": "PNG", "Web": "WEBP"}[name[:3]]
    stored = decode_square(encode(plain_picture(), kind), SIZE).pixels
    decoded = decode_square(odd_pictures()[name].encoded, SIZE)
    assert (decoded.width, decoded.height) == (72, 96)
    assert np.abs(decoded.pixels.astype(int) - np.rot90(stored, 3)).max() <= 5


WITHOUT_END = [name for name in odd_pictures() if name.endswith(("place of its end", "without its end"))]


@pytest.mark.parametrize(
    "name", [*[name for name in WITHOUT_END if "last scan" not in name], "JPEG, without its last byte"]
)
def test_a_jpeg_without_its_end_has_all_of_its_pixels(name: str) -> None:
    whole = encode(plain_picture(), "JPEG", progressive="progressive" in name)
    assert np.array_equal(decode_square(odd_pictures()[name].encoded, SIZE).pixels, decode_square(whole, SIZE).pixels)


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_with_any_missing_pixels_is_refused(*, progressive: bool) -> None:
    whole = encode(detailed_picture((160, 120)), "JPEG", quality=90, progressive=progressive)
    for missing in range(6, len(whole) // 2, 97):
        for trailer in (b"", film()):
            with pytest.raises(UnreadableImageError):
                decode_square(whole[:-missing] + trailer, SIZE)


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_lossless_jpeg_has_exactly_its_pixels(mode: str) -> None:
    picture = plain_picture(mode, (160, 120))
    expected = decode_square(encode(picture, "PNG"), SIZE).pixels
    assert np.array_equal(decode_square(lossless_jpeg(picture), SIZE).pixels, expected)


@pytest.mark.parametrize("name", ["JPEG, 12 bits", "JPEG, lossless, 16 bits"])
def test_a_rare_kind_of_jpeg_is_not_called_damaged(name: str) -> None:
    with pytest.raises(UnreadableImageError, match="rare kind of JPEG"):
        decode_square(odd_pictures()[name].encoded, SIZE)


def test_a_picture_a_little_smaller_than_the_square_is_enlarged() -> None:
    picture = plain_picture(size=(223, 300))
    enlarged = ImageOps.fit(picture, (224, 224), Image.Resampling.BILINEAR)
    assert np.array_equal(decode_square(encode(picture, "PNG"), 224).pixels, np.asarray(enlarged))


def test_decompression_bombs_use_no_memory() -> None:
    """Measured in a new process; a valid picture of 30 megapixels shows that the measurement sees decoded pixels."""
    bombs = [odd.encoded for odd in odd_pictures().values() if odd.code == "too_many_pixels"]
    real = encode(Image.new("1", (6000, 5000)), "PNG")
    sent = pickle.dumps((bombs, real))
    done = subprocess.run([sys.executable, "-c", MEASURE], cwd=ROOT, input=sent, stdout=subprocess.PIPE, check=True)
    refused, grown_by_bombs_mb, grown_by_real_mb = map(float, done.stdout.split())
    assert refused == len(bombs) >= 9
    assert grown_by_bombs_mb < 4
    assert grown_by_real_mb > 25  # a byte for each pixel


PEAK_MB = """
import pickle, resource, sys
from pathlib import Path
import numpy
from contract.errors import TooManyPixelsError
from contract.image import decode_square

def peak_mb():
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().split("VmHWM:")[1].split()[0]) / 1e3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # on a Mac in bytes

"""
MEASURE = (
    PEAK_MB
    + """
bombs, real = pickle.load(sys.stdin.buffer)
refused, before = 0, peak_mb()
for bomb in bombs:
    try:
        decode_square(bomb, 224)
    except TooManyPixelsError:
        refused += 1
between = peak_mb()
decode_square(real, 224)
print(refused, between - before, peak_mb() - between)
"""
)
MEASURE_ONE = (
    PEAK_MB
    + """
encoded = sys.stdin.buffer.read()
before = peak_mb()
decode_square(encoded, 224)
print(peak_mb() - before)
"""
)


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=2000))
def test_any_bytes_give_pixels_or_an_error_of_the_caller(encoded: bytes) -> None:
    assert answer_to(encoded) in {"unsupported_picture", "unreadable_image", "too_many_pixels", "too_few_pixels", None}


SOUND = [odd.encoded for odd in odd_pictures().values() if odd.status == 200 and len(odd.encoded) < 30_000]
SIGNATURES = [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\x10\0\0\0WEBPVP8X"]


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(SIGNATURES), st.binary(max_size=2000))
def test_any_bytes_after_a_signature_give_pixels_or_an_error_of_the_caller(signature: bytes, rest: bytes) -> None:
    answer_to(signature + rest)


@settings(deadline=None, max_examples=600)
@given(st.sampled_from(SOUND), st.data())
def test_any_change_to_a_valid_picture_gives_pixels_or_an_error_of_the_caller(
    encoded: bytes, data: st.DataObject
) -> None:
    changed = bytearray(encoded)
    for _ in range(data.draw(st.integers(1, 8))):
        near_the_front = st.integers(0, min(len(changed), 200))  # where the headers are
        at = data.draw(near_the_front | st.integers(0, len(changed)))
        match data.draw(st.sampled_from(["flip", "delete", "insert"])):
            case "flip":
                changed[at : at + 1] = data.draw(st.binary(min_size=1, max_size=1))
            case "delete":
                del changed[at : at + data.draw(st.integers(1, 64))]
            case "insert":
                changed[at:at] = data.draw(st.binary(min_size=1, max_size=16))
    answer_to(bytes(changed))


@settings(deadline=None, max_examples=150)
@given(
    st.sampled_from([("JPEG", mode) for mode in ("1", "L", "RGB", "CMYK")]
                    + [("PNG", mode) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")]
                    + [("WEBP", mode) for mode in ("L", "LA", "P", "RGB", "RGBA")]),
    st.tuples(st.integers(MIN_SIDE_PX, 700), st.integers(MIN_SIDE_PX, 700)),
    st.integers(1, 300),
)  # fmt: skip
def test_any_size_and_mode_is_decoded(kind_and_mode: tuple[str, str], sides: tuple[int, int], size: int) -> None:
    kind, mode = kind_and_mode
    picture = Image.new("I;16", sides, 40_000) if mode == "I;16" else plain_picture(mode, sides)
    decoded = decode_square(encode(picture, kind), size)
    assert isinstance(decoded, DecodedImage)
    assert (decoded.width, decoded.height) == sides
    assert decoded.pixels.shape == (size, size, 3)
    assert decoded.pixels.dtype == np.uint8
