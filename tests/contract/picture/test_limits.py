"""Every kind of picture is limited by the memory that its decoder needs."""

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from contract.errors import TooManyPixelsError
from contract.image import decode_image
from contract.picture.limits import MAX_DECODED_BYTES, MAX_PIXELS, WEBP_BYTES_PER_PX
from tests.odd_metadata import hostile_profiles
from tests.odd_pictures import encode, odd_pictures, plain_picture
from tests.picture_blocks import resized_jpeg_header

ROOT = Path(__file__).parents[3]
MEASURE = """
import sys
from pathlib import Path
import numpy
from contract.image import decode_image, to_plain_jpeg

def peak_mb():
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1e3

encoded = sys.stdin.buffer.read()
before = peak_mb()
decode_image(encoded, 224)
if "page" in sys.argv:
    to_plain_jpeg(encoded, 1024)
print(peak_mb() - before)
"""
WEBP_SIDE = 4_300  # 18.5 megapixels
LARGEST = {
    "JPEG": lambda: encode(Image.new("RGB", (8_000, 6_250)), "JPEG"),
    "JPEG, progressive, colour at full resolution": lambda: encode(
        Image.new("RGB", (8_000, 6_250)), "JPEG", progressive=True, subsampling=0
    ),
    "JPEG, progressive, CMYK": lambda: encode(Image.new("CMYK", (8_000, 4_680)), "JPEG", progressive=True),
    "PNG, transparent": lambda: encode(Image.new("RGBA", (8_000, 6_250)), "PNG", compress_level=1),
    "PNG, 16-bit grey": lambda: encode(Image.new("I;16", (8_000, 6_250)), "PNG", compress_level=1),
    "PNG, a long strip": lambda: encode(Image.new("RGBA", (55_000, 900)), "PNG", compress_level=1),
    "WebP": lambda: encode(Image.new("RGB", (WEBP_SIDE, WEBP_SIDE)), "WEBP", method=0),
    "WebP, lossless": lambda: encode(Image.new("RGB", (WEBP_SIDE, WEBP_SIDE)), "WEBP", lossless=True, method=0),
    "WebP, animated": lambda: encode(
        Image.new("RGB", (WEBP_SIDE, WEBP_SIDE)),
        "WEBP",
        method=0,
        save_all=True,
        append_images=[Image.new("RGB", (WEBP_SIDE, WEBP_SIDE), "red")],
    ),
}


def peak_mb(encoded: bytes, *use: str) -> float:
    """Decode in a new process, and return by how many MB its memory grew; with "page", also as the page does."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, *use], cwd=ROOT, input=encoded, stdout=subprocess.PIPE, check=True
    )
    return float(done.stdout)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs the peak memory that Linux reports")
@pytest.mark.parametrize("kind", LARGEST)
def test_the_largest_picture_of_every_kind_stays_within_the_memory(kind: str) -> None:
    assert peak_mb(LARGEST[kind]()) < MAX_DECODED_BYTES / 1e6 + 15  # for its bytes and the small copy


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs the peak memory that Linux reports")
@pytest.mark.parametrize("what", [*hostile_profiles(), "in a PNG, decompressing to 50 MB"])
def test_a_hostile_profile_uses_little_memory(what: str) -> None:
    if what in hostile_profiles():
        encoded = encode(plain_picture(), "JPEG", icc_profile=hostile_profiles()[what])
    else:
        encoded = odd_pictures()["PNG, colour profile that decompresses to 50 MB"].encoded
    assert peak_mb(encoded, "page") < 20


@pytest.mark.parametrize("name", [name for name in odd_pictures() if "50 MB" in name])
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs the peak memory that Linux reports")
def test_a_compressed_block_uses_little_memory(name: str) -> None:
    assert peak_mb(odd_pictures()[name].encoded, "page") < 20


def test_a_webp_has_fewer_pixels_and_its_error_says_how_many() -> None:
    side = 1 + int((MAX_DECODED_BYTES / WEBP_BYTES_PER_PX) ** 0.5)
    encoded = encode(Image.new("RGB", (side, side)), "WEBP", lossless=True, method=0)
    assert len(encoded) < 100
    with pytest.raises(TooManyPixelsError, match=f"The WebP has {side} x {side} pixels; at most 18 megapixels"):
        decode_image(encoded, 64)


@pytest.mark.parametrize(
    ("mode", "options", "megapixels"),
    [("RGB", {"subsampling": 2}, 50), ("RGB", {"subsampling": 0}, 50), ("CMYK", {}, 37), ("L", {}, 50)],
)
def test_a_progressive_jpeg_is_limited_by_its_coefficients(
    mode: str, options: dict[str, object], megapixels: int
) -> None:
    encoded = encode(plain_picture(mode), "JPEG", progressive=True, **options)
    with pytest.raises(TooManyPixelsError, match=f"at most {megapixels} megapixels"):
        decode_image(resized_jpeg_header(encoded, 10_000, megapixels * 100 + 60), 64)


def test_a_sequential_jpeg_is_limited_by_its_pixels_only() -> None:
    with pytest.raises(TooManyPixelsError, match="at most 50 megapixels"):
        decode_image(resized_jpeg_header(encode(plain_picture("CMYK"), "JPEG"), 10_000, MAX_PIXELS // 10_000 + 1), 64)
