"""Poor pictures are detected, and good ones have no finding."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont

from contract.exposure import measure_brightness
from contract.field_of_view import Box
from contract.image import DecodedImage, decode_image
from contract.quality import (
    BRIGHT_LUMA,
    CONTRAST,
    DARK_BRIGHTNESS,
    MESSAGES,
    SHARPNESS,
    SHORT_SIDE_PX,
    Finding,
    assess,
    largest_contrast,
    median_sharpness,
)
from tests.odd_pictures import encode

SIZE = 224


def findings(encoded: bytes) -> list[Finding]:
    return assess(decode_image(encoded, SIZE))


def seen(pixels: np.ndarray, width: int = 450, height: int = 450) -> DecodedImage:
    """Pixels as if they had been decoded from a picture of this size."""
    return DecodedImage(pixels, width, height, Box(0, 0, height, height), measure_brightness(pixels))


def codes(picture: Image.Image) -> list[str]:
    return [finding.code for finding in findings(encode(picture, "PNG", compress_level=1))]


@pytest.fixture
def photo(originals: list[bytes]) -> Image.Image:
    """The first original as pixels: good enough before a test degrades it."""
    picture = Image.fromarray(decode_image(originals[0], 450).pixels)
    assert codes(picture) == []
    return picture


def test_a_dermatoscopic_picture_is_good_enough(originals: list[bytes]) -> None:
    assert len(originals) >= 1
    for original in originals:
        assert findings(original) == []


def test_a_blurred_picture_is_detected(photo: Image.Image) -> None:
    assert codes(photo.filter(ImageFilter.GaussianBlur(8))) == ["blurred"]


def test_a_reflection_is_detected(photo: Image.Image) -> None:
    ImageDraw.Draw(photo).ellipse((100, 100, 300, 300), fill="white")
    assert codes(photo) == ["glare"]


def test_skin_without_a_lesion_is_detected() -> None:
    pores = np.random.default_rng(0).normal((205, 160, 140), 12, (450, 450, 3))
    assert codes(Image.fromarray(pores.clip(0, 255).astype(np.uint8))) == ["no_lesion"]


def test_a_dark_picture_is_detected(photo: Image.Image) -> None:
    pixels = np.asarray(photo)
    assert (
        codes(Image.fromarray((pixels * (0.8 * DARK_BRIGHTNESS / measure_brightness(pixels))).astype(np.uint8)))[0]
        == "too_dark"
    )


def test_a_bright_picture_is_detected(photo: Image.Image) -> None:
    brighter = photo.point(lambda value: min(255, 225 + value // 5))
    assert "too_bright" in codes(brighter)
    assert "too_dark" not in codes(brighter)


def test_a_small_picture_is_detected(photo: Image.Image) -> None:
    assert codes(ImageEnhance.Contrast(photo.resize((150, 150))).enhance(1.5)) == ["too_small"]


def checkerboard(low: int, high: int) -> np.ndarray:
    """Squares of 8 px, sharp and evenly lit, with a red patch on them: RGB, shape (SIZE, SIZE, 3)."""
    rows, columns = np.indices((SIZE, SIZE)) // 8
    grey = np.where((rows + columns) % 2 == 0, low, high).astype(np.uint8)
    pixels = np.repeat(grey[..., None], 3, axis=-1)
    pixels[84:140, 84:140, 1:] = pixels[84:140, 84:140, 1:] // 2
    return pixels


def slope() -> np.ndarray:
    """Dark at the top and light at the bottom, with no edge anywhere: RGB, shape (SIZE, SIZE, 3)."""
    return np.repeat(np.indices((SIZE, SIZE))[0][..., None], 3, axis=-1).astype(np.uint8)


@pytest.mark.parametrize(
    ("pixels", "side", "expected"),
    [
        pytest.param(checkerboard(80, 160), SHORT_SIDE_PX, [], id="good"),
        pytest.param(checkerboard(80, 160), SHORT_SIDE_PX - 1, ["too_small"], id="small"),
        pytest.param(checkerboard(20, 78), 450, ["too_dark"], id="dark"),
        pytest.param(checkerboard(20, 82), 450, [], id="just light enough"),
        pytest.param(checkerboard(234, 254), 450, ["too_bright"], id="bright"),
        pytest.param(checkerboard(220, 239), 450, [], id="just dark enough"),
        pytest.param(checkerboard(120, 250), 450, ["glare"], id="half of it overexposed"),
        pytest.param(slope(), 450, ["blurred"], id="without detail"),
        pytest.param(
            np.zeros((SIZE, SIZE, 3), np.uint8), 40, ["too_small", "too_dark", "blurred", "no_lesion"], id="black"
        ),
        pytest.param(np.full((SIZE, SIZE, 3), 255, np.uint8), 450, ["too_bright", "blurred", "no_lesion"], id="white"),
    ],
)
def test_a_picture_has_exactly_the_expected_findings(pixels: np.ndarray, side: int, expected: list[str]) -> None:
    assert [finding.code for finding in assess(seen(pixels, 600, side))] == expected
    assert [finding.code for finding in assess(seen(pixels, side, 600))] == expected


def test_a_finding_has_the_measured_value_and_advice() -> None:
    small, dark, blurred, _ = assess(seen(np.zeros((SIZE, SIZE, 3), np.uint8), 100, 40))
    assert (small.value, small.threshold) == (40, SHORT_SIDE_PX)
    assert (dark.value, dark.threshold) == (0, DARK_BRIGHTNESS)
    assert (blurred.value, blurred.threshold) == (0, SHARPNESS)
    assert all(finding.message.endswith(".") for finding in (small, dark, blurred))


def test_green_counts_most_for_brightness() -> None:
    weighed = []
    for channel in range(3):
        pixels = np.zeros((SIZE, SIZE, 3), np.uint8)
        pixels[..., channel] = 255
        dark = [finding.value for finding in assess(seen(pixels, 450, 450)) if finding.code == "too_dark"]
        weighed.append(dark[0] if dark else None)
    assert weighed == [pytest.approx(0.299 * 255, abs=1e-3), None, pytest.approx(0.114 * 255, abs=1e-3)]
    assert 0.299 * 255 < DARK_BRIGHTNESS < 0.587 * 255
    assert BRIGHT_LUMA < 255


def test_the_sharpness_of_a_tile_is_as_computed_by_hand() -> None:
    luma = np.zeros((34, 34), np.float32)
    luma[2::4, 2::4] = 1  # a dot in each tile of 4 x 4 px
    # in each tile: 4 where the dot is, -1 in the four neighbours, else 0: the mean is 0
    assert median_sharpness(luma) == pytest.approx((16 + 4 * 1) / 16)


def test_a_linear_gradient_is_not_sharp() -> None:
    rows, columns = np.indices((40, 50)).astype(np.float32)
    assert median_sharpness(3 * rows + 5 * columns) == pytest.approx(0)


def test_contrast_is_the_rgb_distance_of_the_most_different_tile() -> None:
    pixels = np.full((SIZE, SIZE, 3), 100, np.uint8)
    pixels[28:56, 28:56] = (130, 140, 100)  # one of 8 x 8 tiles
    assert largest_contrast(pixels) == pytest.approx(50)


def test_a_mark_at_the_edge_is_not_a_lesion() -> None:
    skin = np.full((SIZE, SIZE, 3), 180, np.uint8)
    skin[:28, :84] = (60, 40, 140)
    assert largest_contrast(skin) == 0


def overlaid(picture: Image.Image, what: str) -> Image.Image:
    """A picture with a date, a ruler or ink at its edge."""
    picture = picture.copy()
    draw = ImageDraw.Draw(picture)
    side = picture.width
    if what == "date":
        draw.text((20, 10), "2024-05-13 10:22 ID 4711", fill=(255, 255, 0), font=ImageFont.load_default(28))
    elif what == "ruler":
        for x in range(0, side, 24):
            draw.line((x, side - 40, x, side - (28 if x % 120 else 18)), fill=(20, 20, 20), width=2)
    else:
        draw.line((20, 30, 60, 120, 30, 200, 70, 300), fill=(70, 40, 120), width=8)
    return picture


@pytest.mark.parametrize("what", ["date", "ruler", "ink"])
def test_an_overlay_neither_hides_blur_nor_is_a_fault(photo: Image.Image, what: str) -> None:
    assert codes(overlaid(photo, what)) == []
    assert codes(overlaid(photo.filter(ImageFilter.GaussianBlur(8)), what)) == ["blurred"]


@pytest.mark.parametrize("light", [0.5, 0.7])
def test_less_light_is_no_fault_down_to_the_threshold(photo: Image.Image, light: float) -> None:
    assert codes(photo.point(lambda value: int(value * light))) == []


@pytest.mark.parametrize("size", [32, 97, 224])
def test_a_line_is_not_a_lesion_and_a_spot_is_one_at_every_size_of_the_square(size: int) -> None:
    line, spot = (np.full((size, size, 3), 180, np.uint8) for _ in range(2))
    line[:, size // 2 : size // 2 + max(1, size // 112)] = 120  # a hair
    spot[size // 3 : 2 * size // 3, size // 3 : 2 * size // 3] = 120
    assert largest_contrast(line) < CONTRAST < largest_contrast(spot)


def test_each_finding_has_its_value_its_threshold_and_advice() -> None:
    (finding,) = assess(seen(checkerboard(80, 160), 600, SHORT_SIDE_PX - 1))
    assert (finding.value, finding.threshold) == (SHORT_SIDE_PX - 1, SHORT_SIDE_PX)
    assert all(message.count(".") == 2 and message.endswith(".") for message in MESSAGES.values())
