"""The same lesion looks the same to the model in less light."""

import numpy as np
import pytest
from PIL import Image

from contract.exposure import MAX_GAIN, TARGET_BRIGHTNESS, correct_exposure, exposure_gain, measure_brightness
from contract.image import decode_image, decode_square
from tests.odd_pictures import encode

SIZE = 224


def test_brightness_is_the_90th_percentile_of_luma() -> None:
    pixels = np.full((100, 100, 3), 50, np.uint8)
    pixels[:, :20] = (100, 200, 50)
    assert measure_brightness(pixels) == pytest.approx(0.299 * 100 + 0.587 * 200 + 0.114 * 50, abs=1e-3)
    pixels[:, 8:] = 50
    assert measure_brightness(pixels) == pytest.approx(50, abs=1e-3)


def test_a_bright_picture_stays_as_it_is() -> None:
    pixels = np.full((8, 8, 3), 200, np.uint8)
    assert correct_exposure(pixels, TARGET_BRIGHTNESS) is pixels
    assert exposure_gain(255) == 1


def test_the_gain_is_bounded_also_for_a_black_picture() -> None:
    black = np.zeros((8, 8, 3), np.uint8)
    assert exposure_gain(0) == MAX_GAIN
    assert correct_exposure(black, measure_brightness(black)).max() == 0


def test_no_value_wraps_around() -> None:
    pixels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    brightened = correct_exposure(pixels, TARGET_BRIGHTNESS / 2).astype(int)
    assert np.array_equal(brightened, np.minimum(2 * pixels.astype(int), 255))


@pytest.mark.parametrize("light", [0.7, 0.5, 0.4])
def test_the_model_sees_nearly_the_same_in_less_light(originals: list[bytes], light: float) -> None:
    for original in originals[:5]:
        decoded = decode_image(original, 450)
        to_target = min(1, TARGET_BRIGHTNESS / measure_brightness(decoded.pixels))
        photo = Image.fromarray((decoded.pixels * to_target).astype(np.uint8))
        darker = photo.point(lambda value: int(value * light))
        seen = decode_image(encode(photo, "PNG"), SIZE).pixels.astype(int)
        seen_darker = decode_image(encode(darker, "PNG"), SIZE).pixels.astype(int)
        assert np.abs(seen - seen_darker).mean() < 3
        assert decode_square(encode(darker, "PNG"), SIZE).brightness < 0.75 * TARGET_BRIGHTNESS
