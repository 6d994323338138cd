"""Poor pictures are detected, and good ones have no finding."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter

from contract.image import decode_image
from contract.quality import (
    BRIGHT_LUMA,
    CONTRAST,
    DARK_LUMA,
    MESSAGES,
    SHARPNESS,
    SHORT_SIDE_PX,
    Finding,
    assess,
    laplacian_variance,
    largest_contrast,
)
from tests.odd_pictures import encode

SIZE = 224


def findings(encoded: bytes) -> list[Finding]:
    decoded = decode_image(encoded, SIZE)
    return assess(decoded.pixels, width=decoded.width, height=decoded.height)


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
    assert codes(Image.fromarray((pixels * (0.8 * DARK_LUMA / pixels.mean())).astype(np.uint8)))[0] == "too_dark"


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
        pytest.param(checkerboard(8, 80), 450, ["too_dark"], id="dark"),
        pytest.param(checkerboard(26, 80), 450, [], id="just light enough"),
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
    assert [finding.code for finding in assess(pixels, width=600, height=side)] == expected
    assert [finding.code for finding in assess(pixels, width=side, height=600)] == expected


def test_a_finding_has_the_measured_value_and_advice() -> None:
    small, dark, blurred, _ = assess(np.zeros((SIZE, SIZE, 3), np.uint8), width=100, height=40)
    assert (small.value, small.threshold) == (40, SHORT_SIDE_PX)
    assert (dark.value, dark.threshold) == (0, DARK_LUMA)
    assert (blurred.value, blurred.threshold) == (0, SHARPNESS)
    assert all(finding.message.endswith(".") for finding in (small, dark, blurred))


def test_green_counts_most_for_brightness() -> None:
    weighed = []
    for channel in range(3):
        pixels = np.zeros((SIZE, SIZE, 3), np.uint8)
        pixels[..., channel] = 255
        dark = [finding.value for finding in assess(pixels, width=450, height=450) if finding.code == "too_dark"]
        weighed.append(dark[0] if dark else None)
    assert weighed == [None, None, pytest.approx(0.114 * 255, abs=1e-3)]  # 76 and 150 are over the threshold
    assert DARK_LUMA < 0.299 * 255
    assert BRIGHT_LUMA < 255


def test_the_laplacian_variance_is_as_computed_by_hand() -> None:
    luma = np.zeros((4, 4), np.float32)
    luma[1, 1] = 1
    # the inner 2 x 2: 4 where the dot is, -1 beside and below it, 0 across: mean 0.5, squares 16 + 1 + 1 + 0
    assert laplacian_variance(luma) == pytest.approx(18 / 4 - 0.5**2)


def test_a_linear_gradient_is_not_sharp() -> None:
    rows, columns = np.indices((20, 30)).astype(np.float32)
    assert laplacian_variance(3 * rows + 5 * columns) == pytest.approx(0)


def test_contrast_is_the_rgb_distance_of_the_most_different_cell() -> None:
    pixels = np.full((SIZE, SIZE, 3), 100, np.uint8)
    pixels[:28, :28] = (130, 140, 100)  # one of 8 x 8 cells
    assert largest_contrast(pixels) == pytest.approx(50)


@pytest.mark.parametrize("size", [32, 97, 224])
def test_a_line_is_not_a_lesion_and_a_spot_is_one_at_every_size_of_the_square(size: int) -> None:
    line, spot = (np.full((size, size, 3), 180, np.uint8) for _ in range(2))
    line[:, size // 2 : size // 2 + max(1, size // 112)] = 120  # a hair
    spot[size // 3 : 2 * size // 3, size // 3 : 2 * size // 3] = 120
    assert largest_contrast(line) < CONTRAST < largest_contrast(spot)


def test_each_finding_has_its_value_its_threshold_and_advice() -> None:
    (finding,) = assess(checkerboard(80, 160), width=600, height=SHORT_SIDE_PX - 1)
    assert (finding.value, finding.threshold) == (SHORT_SIDE_PX - 1, SHORT_SIDE_PX)
    assert all(message.count(".") == 2 and message.endswith(".") for message in MESSAGES.values())
