"""HEIC files: the right picture, upright, in the right colours; nothing of the file but its tiles reaches libheif."""

import io
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageCms

from contract.errors import UnreadableImageError, UnsupportedPictureError
from contract.heif import hevc
from contract.heif.boxes import write_box
from contract.heif.decoder import HeifImageFile
from contract.heif.nclx import BT2020, COLORANTS, DISPLAY_P3, icc_profile_of
from contract.heif.picture import read_primary_picture
from contract.image import decode_square, open_picture, sniff_content_type, to_plain_jpeg
from tests.heic_files import (
    encode_heic,
    heic_of_10_bits,
    heic_of_two_pictures,
    heic_with_size,
    item_places,
    only_a_video,
    with_property,
    with_reference,
)
from tests.odd_pictures import ORIENTATIONS, encode, plain_picture

ROOT = Path(__file__).parents[2]
SIZE = 64  # pixels, of the model's square in these tests
UPRIGHT = plain_picture(size=(304, 208))
VARIANTS = {
    "one tile": encode_heic(UPRIGHT),
    "colour at full resolution": encode_heic(UPRIGHT, chroma=444),
    "lossless": encode_heic(UPRIGHT, chroma=444, quality=-1),
    "odd sides": encode_heic(plain_picture(size=(301, 199))),
    "tiles that end outside": encode_heic(plain_picture(size=(601, 451)), tile_size=256),
    "transparent": encode_heic(plain_picture("RGBA", size=(300, 200))),
    "transparent, in tiles": encode_heic(plain_picture("RGBA", size=(600, 450)), tile_size=256),
    "grey": encode_heic(UPRIGHT.convert("L")),
    "10 bits": heic_of_10_bits(UPRIGHT.convert("L")),
    "two pictures": heic_of_two_pictures(UPRIGHT, plain_picture(size=(400, 400))),
    "with a thumbnail": encode_heic(UPRIGHT, thumbnails=[64]),
}


def orientation(number: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = number
    return exif


def stored_as(number: int, **options: object) -> bytes:
    turn = ORIENTATIONS[number]
    stored = UPRIGHT if turn is None else UPRIGHT.transpose(turn)
    return encode_heic(stored, exif=orientation(number), **options)


def opened(encoded: bytes) -> HeifImageFile:
    return HeifImageFile(io.BytesIO(encoded))


def pixels(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture.convert("RGBA")).astype(int)


@pytest.mark.parametrize("encoded", [pytest.param(encoded, id=name) for name, encoded in VARIANTS.items()])
def test_the_pixels_are_those_that_libheif_reads_from_the_whole_file(encoded: bytes) -> None:
    picture, expected = opened(encoded), pillow_heif.open_heif(io.BytesIO(encoded)).to_pillow()
    declared = picture.size
    picture.load()
    assert picture.size == declared == expected.size
    assert np.array_equal(pixels(picture), pixels(expected))


@pytest.mark.parametrize("number", ORIENTATIONS)
def test_every_orientation_is_upright_and_turned_once(number: int) -> None:
    """A phone writes the orientation twice: as a property of the picture, and in EXIF."""
    encoded = stored_as(number)
    assert b"Exif" in encoded
    assert (b"irot" in encoded or b"imir" in encoded) == (number > 1)
    decoded = decode_square(encoded, SIZE)
    expected = decode_square(encode_heic(UPRIGHT), SIZE)
    assert (decoded.width, decoded.height) == UPRIGHT.size
    assert np.abs(decoded.pixels.astype(int) - expected.pixels).mean() < 1
    with open_picture(to_plain_jpeg(encoded, 304)) as plain:
        assert np.abs(pixels(plain) - pixels(UPRIGHT)).mean() < 3


@pytest.mark.parametrize("number", [5, 6, 7, 8])
def test_tiles_are_joined_before_the_picture_is_turned(number: int) -> None:
    decoded = opened(stored_as(number, tile_size=128))
    assert np.abs(pixels(decoded) - pixels(UPRIGHT)).mean() < 3


def test_an_orientation_in_exif_alone_is_not_used() -> None:
    """By the standard the properties turn the picture; iOS does the same."""
    upright = encode_heic(UPRIGHT, exif=orientation(1))
    block = orientation(1).tobytes()
    assert upright.count(block) == 1
    decoded = opened(upright.replace(block, orientation(6).tobytes()))
    assert np.array_equal(pixels(decoded), pixels(opened(upright)))


def test_a_crop_is_applied() -> None:
    whole = encode_heic(plain_picture(size=(301, 199)))
    centred = struct.pack(">LLLLlLlL", 101, 1, 99, 1, 20, 1, -10, 1)  # size, then how far its centre is moved
    cropped = opened(with_property(whole, b"clap", centred))
    assert cropped.size == (101, 99)
    assert np.array_equal(pixels(cropped), pixels(opened(whole).crop((120, 40, 221, 139))))


@pytest.mark.parametrize("sides", [(1024, 768), (1000, 752)])
@pytest.mark.parametrize("options", [{}, {"tile_size": 128}])
def test_a_reduced_picture_is_the_whole_one_at_a_smaller_scale(
    sides: tuple[int, int], options: dict[str, object]
) -> None:
    encoded = encode_heic(plain_picture(size=sides), **options)
    reduced = opened(encoded)
    reduced.draft("RGB", (200, 150))
    declared = reduced.size
    assert declared == (sides[0] // 4, sides[1] // 4)
    assert np.abs(pixels(reduced) - pixels(opened(encoded).reduce(4))).max() <= 1
    assert reduced.size == declared


@pytest.mark.parametrize("sides", [(1001, 752), (1000, 750)])
def test_a_picture_is_not_reduced_if_a_pixel_would_be_partial(sides: tuple[int, int]) -> None:
    picture = opened(encode_heic(plain_picture(size=sides)))
    picture.draft("RGB", (250, 187))
    assert picture.size == (sides if sides[0] % 2 else (500, 375))


def test_transparency_in_other_tiles_is_reduced_too() -> None:
    reduced = opened(encode_heic(plain_picture("RGBA", size=(1024, 768)), tile_size=256))
    reduced.draft("RGB", (256, 192))
    expected = plain_picture("RGBA", size=(1024, 768)).reduce(4)
    assert reduced.mode == "RGBA"
    assert np.abs(pixels(reduced)[..., 3] - pixels(expected)[..., 3]).mean() < 3


def test_a_picture_is_never_reduced_below_the_wanted_size() -> None:
    picture = opened(encode_heic(plain_picture(size=(400, 300))))
    picture.draft("RGB", (224, 224))
    picture.load()
    assert picture.size == (400, 300)


def test_transparent_pixels_are_put_on_white() -> None:
    red = Image.new("RGBA", (80, 80), (255, 0, 0, 128))
    mean = decode_square(encode_heic(red, chroma=444, quality=-1), SIZE).pixels.mean(axis=(0, 1))
    assert mean.tolist() == pytest.approx([255, 127, 127], abs=2)


def test_colours_that_are_already_multiplied_with_alpha_are_divided() -> None:
    premultiplied = Image.new("RGBA", (80, 80), (128, 0, 0, 128))
    encoded = encode_heic(premultiplied, chroma=444, quality=-1)
    reference = bytes(4) + write_box(b"auxl", struct.pack(">HHH", 2, 1, 1))
    assert encoded.count(reference) == 1
    tables = read_primary_picture(encoded)
    assert tables.alpha
    assert not tables.premultiplied
    marked = with_reference(encoded, write_box(b"prem", struct.pack(">HHH", 1, 1, 2)))
    mean = decode_square(marked, SIZE).pixels.mean(axis=(0, 1))
    assert mean.tolist() == pytest.approx([255, 127, 127], abs=3)


def test_an_icc_profile_is_handed_on() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert opened(encode_heic(UPRIGHT, icc_profile=profile)).info["icc_profile"] == profile


def test_the_range_of_the_numbers_is_widened_once_in_tiles_too() -> None:
    limited = b"nclx" + struct.pack(">HHHB", 1, 13, 6, 0)
    picture = plain_picture(size=(256, 128)).point(lambda level: 64 + level // 2)
    one, tiles = (encode_heic(picture, **options) for options in ({}, {"tile_size": 128}))
    one, tiles = (with_property(encoded, b"colr", limited) for encoded in (one, tiles))
    assert np.abs(pixels(opened(one)) - pixels(opened(tiles))).mean() < 1
    assert np.abs(pixels(opened(one)) - pixels(picture)).mean() > 3


@pytest.mark.parametrize("primaries", [1, 2, 6])
def test_srgb_needs_no_profile(primaries: int) -> None:
    encoded = with_property(encode_heic(UPRIGHT), b"colr", b"nclx" + struct.pack(">HHHB", primaries, 13, 6, 0x80))
    assert "icc_profile" not in opened(encoded).info


@pytest.mark.parametrize("primaries", [DISPLAY_P3, BT2020])
def test_a_wide_colour_space_becomes_a_profile_that_pillow_converts(primaries: int) -> None:
    """A grey stays the same grey, and a colour is as saturated in sRGB as in the wider space it is less."""
    nclx = struct.pack(">HHHB", primaries, 13, 6, 0x80)
    encoded = with_property(encode_heic(UPRIGHT), b"colr", b"nclx" + nclx)
    profile = ImageCms.ImageCmsProfile(io.BytesIO(opened(encoded).info["icc_profile"]))
    mixed = Image.new("RGB", (2, 1))
    mixed.putdata([(120, 120, 120), (200, 100, 100)])
    converted = ImageCms.profileToProfile(mixed, profile, ImageCms.createProfile("sRGB"))
    assert converted is not None
    grey, colour = np.asarray(converted)[0].astype(int)
    assert np.abs(grey - 120).max() <= 1
    linear = np.array([((c / 255 + 0.055) / 1.055) ** 2.4 for c in (200, 100, 100)])
    to_srgb = np.linalg.inv(np.array(SRGB_COLORANTS).T) @ np.array(COLORANTS[primaries]).T
    expected = 255 * (1.055 * np.clip(to_srgb @ linear, 0, 1) ** (1 / 2.4) - 0.055)
    assert np.abs(colour - expected).max() <= 1.5


SRGB_COLORANTS = ((28576, 14581, 912), (25239, 46983, 6361), (9375, 3972, 46787))
CHROMATICITIES = {  # ITU-T H.273, table 2: red, green, blue
    DISPLAY_P3: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
    BT2020: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
}


@pytest.mark.parametrize("primaries", CHROMATICITIES)
def test_the_colorants_follow_from_the_chromaticities(primaries: int) -> None:
    bradford = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
    d65, d50 = np.array([0.3127 / 0.3290, 1, 0.3583 / 0.3290]), np.array([0.9642, 1, 0.8249])
    adapt = np.linalg.inv(bradford) @ np.diag((bradford @ d50) / (bradford @ d65)) @ bradford
    xyz = np.array([[x / y, 1, (1 - x - y) / y] for x, y in CHROMATICITIES[primaries]]).T
    colorants = adapt @ (xyz * np.linalg.solve(xyz, d65))
    assert np.abs(65536 * colorants.T - np.array(COLORANTS[primaries])).max() <= 1


@pytest.mark.parametrize("transfer", [16, 18])
def test_hdr_is_refused_with_the_way_out(transfer: int) -> None:
    encoded = with_property(encode_heic(UPRIGHT), b"colr", b"nclx" + struct.pack(">HHHB", 9, transfer, 9, 0x80))
    with pytest.raises(UnsupportedPictureError, match=r"HDR .* send it as JPEG"):
        decode_square(encoded, SIZE)


def test_an_icc_profile_counts_more_than_nclx() -> None:
    assert icc_profile_of(b"") == b""
    assert read_primary_picture(encode_heic(UPRIGHT)).nclx[:4] == b"\0\1\0\x0d"


@pytest.mark.parametrize(
    ("first_box", "content_type"),
    [
        (write_box(b"ftyp", b"heic", bytes(4), b"mif1", b"heic"), "image/heic"),  # iPhone
        (write_box(b"ftyp", b"mif1", bytes(4), b"mif1", b"heic"), "image/heic"),
        (write_box(b"ftyp", b"heix", bytes(4), b"mif1", b"heix"), "image/heic"),  # 10 bits
        (write_box(b"ftyp", b"msf1", bytes(4), b"msf1", b"hevc", b"mif1", b"heic"), "image/heic"),
        (write_box(b"ftyp", b"mif1", bytes(4), b"mif1"), "image/heif"),
        (write_box(b"ftyp", b"avif", bytes(4), b"mif1", b"avif"), None),
        (write_box(b"ftyp", b"mif1", bytes(4), b"mif1", b"avif"), None),
        (write_box(b"ftyp", b"isom", bytes(4), b"mp42"), None),
        (b"\0\0\0\x10ftyp", None),
    ],
)
def test_the_brands_decide_the_content_type(first_box: bytes, content_type: str | None) -> None:
    assert sniff_content_type(first_box) == content_type


def test_a_video_and_other_codecs_are_refused_with_the_way_out() -> None:
    with pytest.raises(UnsupportedPictureError, match=r"only a video.* send a JPEG"):
        decode_square(only_a_video(), SIZE)
    for kind in (b"av01", b"iovl", b"iden", b"unci"):
        with pytest.raises(UnsupportedPictureError, match="Please send it as JPEG"):
            decode_square(encode_heic(UPRIGHT).replace(b"hvc1", kind), SIZE)


def refused(encoded: bytes) -> str:
    with pytest.raises(UnreadableImageError) as caught:
        decode_square(encoded, SIZE)
    return str(caught.value.__cause__)


def test_a_bitstream_larger_than_the_declared_size_is_not_decoded() -> None:
    assert "the size in the bitstream" in refused(heic_with_size(encode_heic(plain_picture(size=(512, 512))), 64, 64))


def test_tiles_outside_the_picture_are_not_decoded() -> None:
    encoded = encode_heic(plain_picture(size=(300, 200)), tile_size=64)
    grid = struct.pack(">BBBBHH", 0, 0, 3, 4, 300, 200)  # rows and columns, less one
    assert encoded.count(grid) == 1
    assert "the tiles do not cover" in refused(encoded.replace(grid, grid[:4] + struct.pack(">HH", 64, 64)))
    assert "the number of tiles" in refused(encoded.replace(grid, b"\0\0\2\4" + grid[4:]))


def test_a_crop_cannot_hide_many_pixels() -> None:
    encoded = encode_heic(plain_picture(size=(1601, 1201)), enc_params={"preset": "ultrafast"})
    small = struct.pack(">LLLLlLlL", 64, 1, 64, 1, 0, 1, 0, 1)
    assert "much more is stored" in refused(with_property(encoded, b"clap", small))


def test_tiles_cannot_share_their_bytes() -> None:
    """Otherwise a small file could have many tiles, each slow to decode."""
    encoded = encode_heic(plain_picture(size=(300, 200)), tile_size=64)
    changed = bytearray(encoded)
    tiles = [place for place in item_places(encoded) if place.item in read_primary_picture(encoded).colour.items]
    largest = max(tiles, key=lambda tile: encoded[tile.extent_at + 4 : tile.extent_at + 8])
    for tile in tiles:
        place = encoded[largest.start_at : largest.extent_at + 8]
        changed[tile.start_at : tile.extent_at + 8] = place
    assert decode_square(encoded, SIZE)
    assert "share their bytes" in refused(bytes(changed))


def test_the_bitstream_keeps_only_its_one_picture() -> None:
    picture = read_primary_picture(encode_heic(UPRIGHT))
    (tile,) = picture.tiles(picture.colour)
    parameters = next(unit for kind, unit in hevc._parameter_sets(tile.configuration) if kind == 33)
    other = len(parameters).to_bytes(4, "big") + parameters
    assert hevc.only_picture(tile.configuration, other + tile.bitstream + other) == tile.bitstream
    with pytest.raises(ValueError, match="exactly one picture"):
        hevc.only_picture(tile.configuration, tile.bitstream * 2)
    with pytest.raises(ValueError, match="exactly one picture"):
        hevc.only_picture(tile.configuration, other)


@pytest.mark.parametrize("sides", [(64, 64), (300, 200), (1000, 33)])
@pytest.mark.parametrize("chroma", [420, 444])
def test_the_size_is_read_from_the_bitstream(sides: tuple[int, int], chroma: int) -> None:
    encoded = encode_heic(plain_picture(size=sides), chroma=chroma)
    configuration = read_primary_picture(encoded).tables.first_property(1, b"hvcC")
    for coded, side in zip(hevc.coded_size(configuration), sides, strict=True):
        assert side <= coded <= side + 63


IMPORTED = """
import io, sys
from contract.image import decode_square
heavy = {"pillow_heif", "_pillow_heif", "contract.heif.decoder"}
jpeg, heic = eval(sys.stdin.read())
decode_square(jpeg, 64)
print(sorted(heavy & set(sys.modules)))
decode_square(heic, 64)
print(sorted(heavy & set(sys.modules)))
"""


def test_libheif_is_loaded_only_when_a_heic_comes() -> None:
    pictures = (encode(plain_picture(), "JPEG"), encode_heic(plain_picture()))
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED], cwd=ROOT, input=repr(pictures), capture_output=True, text=True, check=True
    )
    before, after = done.stdout.splitlines()
    assert before == "[]"
    assert "pillow_heif" in after
