"""Colours with a profile become sRGB, and a hostile profile changes nothing."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from contract.image import decode_square, to_plain_jpeg
from contract.picture.colour import profile_space, to_srgb
from tests.icc_profiles import (
    SPACES,
    SRGB_XYZ,
    cmyk_profile,
    formula,
    grey_profile,
    profile,
    rgb_profile,
    srgb_of,
    srgb_of_light,
    table_curve,
)
from tests.odd_metadata import hostile_profiles
from tests.odd_pictures import encode, odd_pictures, plain_picture

ROOT = Path(__file__).parents[3]
COLOURS = [(200, 120, 90), (90, 40, 35), (128, 128, 128), (20, 90, 60), (255, 255, 255), (0, 0, 0)]  # skin first
KINDS = [("JPEG", {"quality": 100, "subsampling": 0}), ("PNG", {}), ("WEBP", {"lossless": True})]
HEIC = ("HEIC", {"quality": 100, "chroma": 444})


def colour_of(encoded: bytes) -> list[int]:
    """The mean colour of the pixels that the model sees."""
    return [round(channel) for channel in decode_square(encoded, 64).pixels.mean(axis=(0, 1)).tolist()]


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize(("kind", "options"), [*KINDS, HEIC], ids=[*(kind for kind, _ in KINDS), "HEIC"])
@pytest.mark.parametrize("colour", COLOURS)
def test_a_colour_with_a_profile_becomes_srgb(
    colour: tuple[int, int, int], kind: str, options: dict[str, object], name: str
) -> None:
    encoded = encode(Image.new("RGB", (80, 80), colour), kind, icc_profile=rgb_profile(name), **options)
    assert colour_of(encoded) == pytest.approx(srgb_of(colour, name), abs=2)


def test_the_profiles_differ_from_srgb_by_more_than_the_tolerance() -> None:
    for name in ("Display P3", "Adobe RGB", "ProPhoto"):
        difference = np.abs(np.subtract(srgb_of(COLOURS[0], name), COLOURS[0]))
        assert difference.max() > 8


def test_a_grey_picture_with_a_grey_profile_becomes_srgb() -> None:
    encoded = encode(Image.new("L", (80, 80), 128), "PNG", icc_profile=grey_profile(1.0))
    assert colour_of(encoded) == pytest.approx([srgb_of_light(128 / 255)] * 3, abs=1)


def test_the_inks_of_a_cmyk_picture_become_the_colours_of_its_profile() -> None:
    """The profile says that cyan ink is a grey of lightness 50."""
    luminance = ((50 + 16) / 116) ** 3  # CIE L* = 50
    inks = encode(Image.new("CMYK", (80, 80), (255, 0, 0, 0)), "JPEG", icc_profile=cmyk_profile(50))
    paper = encode(Image.new("CMYK", (80, 80)), "JPEG", icc_profile=cmyk_profile(50))
    assert colour_of(inks) == pytest.approx([srgb_of_light(luminance)] * 3, abs=2)
    assert colour_of(paper) == pytest.approx([255] * 3, abs=1)


def test_transparent_pixels_stay_on_white() -> None:
    picture = Image.new("RGBA", (80, 80), (200, 120, 90, 0))
    assert colour_of(encode(picture, "PNG", icc_profile=rgb_profile("ProPhoto"))) == [255, 255, 255]


@pytest.mark.parametrize("name", ["Display P3", "Adobe RGB", "ProPhoto"])
def test_a_plain_jpeg_has_the_colours_of_the_profile(name: str) -> None:
    encoded = encode(Image.new("RGB", (80, 80), COLOURS[0]), "PNG", icc_profile=rgb_profile(name))
    assert colour_of(to_plain_jpeg(encoded, 64)) == pytest.approx(srgb_of(COLOURS[0], name), abs=3)


@pytest.mark.parametrize("what", hostile_profiles())
def test_a_hostile_profile_changes_no_pixel(what: str) -> None:
    picture = plain_picture()
    expected = decode_square(encode(picture, "PNG"), 64).pixels
    assert np.array_equal(
        decode_square(encode(picture, "PNG", icc_profile=hostile_profiles()[what]), 64).pixels, expected
    )


@pytest.mark.parametrize(
    "name", ["JPEG, colour profile with a missing segment", "JPEG, profile of another colour space"]
)
def test_an_unusable_profile_changes_no_pixel(name: str) -> None:
    expected = decode_square(odd_pictures()["JPEG"].encoded, 64).pixels
    assert np.array_equal(decode_square(odd_pictures()[name].encoded, 64).pixels, expected)


@pytest.mark.parametrize(
    ("mode", "icc"), [("RGB", cmyk_profile(50)), ("CMYK", rgb_profile("Adobe RGB")), ("CMYK", grey_profile(1.8))]
)
def test_a_profile_for_other_pixels_changes_nothing(mode: str, icc: bytes) -> None:
    picture = plain_picture(mode)
    assert to_srgb(picture, icc).tobytes() == picture.convert("RGB").tobytes()


@settings(deadline=None, max_examples=400)
@given(st.sampled_from([rgb_profile("Adobe RGB"), cmyk_profile(50), grey_profile(1.8)]), st.data())
def test_any_change_to_a_profile_gives_pixels(icc: bytes, data: st.DataObject) -> None:
    changed = bytearray(icc)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, 300) | st.integers(0, len(changed) - 1))
        changed[at : at + 1] = data.draw(st.binary(min_size=1, max_size=2))
    picture = plain_picture("CMYK" if profile_space(bytes(changed)) == "CMYK" else "RGB", (8, 6))
    converted = to_srgb(picture, bytes(changed))
    assert (converted.mode, converted.size) == ("RGB", (8, 6))


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_can_be_a_profile(icc: bytes) -> None:
    picture = plain_picture(size=(8, 6))
    assert to_srgb(picture, icc).tobytes() == picture.tobytes()


def loads_littlecms(icc: bytes) -> bool:
    """Convert with the profile in a new process, and look whether Pillow's LittleCMS was loaded."""
    script = (
        "import sys; from PIL import Image; from contract.picture.colour import to_srgb;"
        "to_srgb(Image.new('RGB', (4, 4)), sys.stdin.buffer.read()); print('PIL.ImageCms' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, input=icc, stdout=subprocess.PIPE, check=True)
    return done.stdout.split() == [b"True"]


@pytest.mark.parametrize("curve", [formula(), table_curve(1024), table_curve(4096)], ids=["formula", "1024", "4096"])
def test_littlecms_is_not_loaded_for_srgb(curve: bytes) -> None:
    body = [np.round(row * 65536).astype(">i4").tobytes() for row in SRGB_XYZ]
    tags = {tag: b"XYZ \0\0\0\0" + row for tag, row in zip((b"rXYZ", b"gXYZ", b"bXYZ"), body, strict=True)}
    icc = profile(b"RGB ", {**tags, b"rTRC": curve, b"gTRC": curve, b"bTRC": curve})
    assert not loads_littlecms(icc)
    assert not loads_littlecms(b"")


def test_littlecms_is_loaded_for_other_profiles() -> None:
    assert loads_littlecms(rgb_profile("Display P3"))
