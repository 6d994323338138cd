"""Which pictures are too poor to judge, and that good ones are left alone."""

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter

from contract.image import decode_image
from contract.quality import BRIGHT_LUMA, DARK_LUMA, SHARPNESS, SHORT_SIDE_PX, Finding, assess, laplacian_variance
from tests.odd_pictures import encode

SIZE = 224


def findings(encoded: bytes) -> list[Finding]:
    decoded = decode_image(encoded, SIZE)
    return assess(decoded.pixels, width=decoded.width, height=decoded.height)


def codes(picture: Image.Image) -> list[str]:
    return [finding.code for finding in findings(encode(picture, "PNG", compress_level=1))]


@pytest.fixture
def photo(originals: list[bytes]) -> Image.Image:
    """The first original as pixels: good enough before a test spoils it."""
    picture = Image.fromarray(decode_image(originals[0], 450).pixels)
    assert codes(picture) == []
    return picture


def test_a_dermatoscopic_picture_is_good_enough(originals: list[bytes]) -> None:
    assert len(originals) >= 1
    for original in originals:
        assert findings(original) == []


def test_a_blurred_picture_is_told(photo: Image.Image) -> None:
    assert codes(photo.filter(ImageFilter.GaussianBlur(8))) == ["blurred"]


def test_a_dark_picture_is_told(photo: Image.Image) -> None:
    pixels = np.asarray(photo)
    assert codes(Image.fromarray((pixels * (0.8 * DARK_LUMA / pixels.mean())).astype(np.uint8)))[0] == "too_dark"


def test_a_bright_picture_is_told(photo: Image.Image) -> None:
    brighter = photo.point(lambda value: min(255, 225 + value // 5))
    assert "too_bright" in codes(brighter)
    assert "too_dark" not in codes(brighter)


def test_a_small_picture_is_told(photo: Image.Image) -> None:
    assert codes(ImageEnhance.Contrast(photo.resize((150, 150))).enhance(1.5)) == ["too_small"]


def checkerboard(low: int, high: int) -> np.ndarray:
    """Squares of 8 px, sharp and evenly lit: grey as RGB, shape (SIZE, SIZE, 3)."""
    rows, columns = np.indices((SIZE, SIZE)) // 8
    grey = np.where((rows + columns) % 2 == 0, low, high).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=-1)


@pytest.mark.parametrize(
    ("pixels", "side", "expected"),
    [
        pytest.param(checkerboard(80, 160), SHORT_SIDE_PX, [], id="good"),
        pytest.param(checkerboard(80, 160), SHORT_SIDE_PX - 1, ["too_small"], id="small"),
        pytest.param(checkerboard(10, 70), 450, ["too_dark"], id="dark"),
        pytest.param(checkerboard(24, 70), 450, [], id="just light enough"),
        pytest.param(checkerboard(222, 254), 450, ["too_bright"], id="bright"),
        pytest.param(checkerboard(210, 254), 450, [], id="just dark enough"),
        pytest.param(checkerboard(120, 121), 450, ["blurred"], id="without contrast"),
        pytest.param(np.zeros((SIZE, SIZE, 3), np.uint8), 40, ["too_small", "too_dark", "blurred"], id="black"),
        pytest.param(np.full((SIZE, SIZE, 3), 255, np.uint8), 450, ["too_bright", "blurred"], id="white"),
    ],
)
def test_a_picture_has_exactly_the_findings_that_it_deserves(
    pixels: np.ndarray, side: int, expected: list[str]
) -> None:
    assert [finding.code for finding in assess(pixels, width=600, height=side)] == expected
    assert [finding.code for finding in assess(pixels, width=side, height=600)] == expected


def test_a_finding_says_what_was_measured_and_what_to_do() -> None:
    small, dark, blurred = assess(np.zeros((SIZE, SIZE, 3), np.uint8), width=100, height=40)
    assert (small.value, small.threshold) == (40, SHORT_SIDE_PX)
    assert (dark.value, dark.threshold) == (0, DARK_LUMA)
    assert (blurred.value, blurred.threshold) == (0, SHARPNESS)
    assert all(finding.message.endswith(".") for finding in (small, dark, blurred))


def test_brightness_weighs_green_most() -> None:
    weighed = []
    for channel in range(3):
        pixels = np.zeros((SIZE, SIZE, 3), np.uint8)
        pixels[..., channel] = 255
        dark = [finding.value for finding in assess(pixels, width=450, height=450) if finding.code == "too_dark"]
        weighed.append(dark[0] if dark else None)
    assert weighed == [None, None, pytest.approx(0.114 * 255, abs=1e-3)]  # 76 and 150 are over the threshold
    assert DARK_LUMA < 0.299 * 255
    assert BRIGHT_LUMA < 255


def test_the_laplacian_variance_is_what_a_pencil_finds() -> None:
    luma = np.zeros((4, 4), np.float32)
    luma[1, 1] = 1
    # the inner 2 x 2: 4 where the dot is, -1 beside and below it, 0 across: mean 0.5, squares 16 + 1 + 1 + 0
    assert laplacian_variance(luma) == pytest.approx(18 / 4 - 0.5**2)


def test_an_even_slope_is_not_sharp() -> None:
    rows, columns = np.indices((20, 30)).astype(np.float32)
    assert laplacian_variance(3 * rows + 5 * columns) == pytest.approx(0)
