"""The JPEG of the augmentation against that of Pillow."""

import io

import keras
import numpy as np
import pytest
from PIL import Image

from training.fitting.inputs.augmentation.changes import JPEG
from training.fitting.inputs.augmentation.jpeg import RandomJpeg, compress


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    """Smooth colours with a spot and some texture. The sides are no multiples of a block."""
    y, x = np.mgrid[:70, :92]
    spot = np.exp(-((x - 40) ** 2 + (y - 33) ** 2) / 200)
    texture = np.random.default_rng(4).normal(0, 6, (70, 92))
    planes = [200 - 90 * spot + texture, 150 - 100 * spot + x / 5 + texture, 130 - 90 * spot + y / 4 + texture]
    return np.asarray(np.clip(np.stack(planes, axis=-1), 0, 255), np.uint8)


@pytest.mark.parametrize("quality", [40, 60, 80, 95])
def test_compression_gives_what_pillow_gives(picture: np.ndarray, quality: int) -> None:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=quality, subsampling="4:2:0")
    expected = np.asarray(Image.open(file)).astype(np.float32)
    given = keras.ops.convert_to_numpy(compress(picture[None].astype(np.float32), np.array([quality], np.float32)))[0]
    lost = np.abs(expected - picture).mean()
    assert np.abs(given - expected).mean() < 0.4 * lost + 0.3  # both round to whole numbers
    assert np.abs(given - picture).mean() == pytest.approx(lost, rel=0.15)


def test_each_picture_has_its_own_quality_and_some_are_not_compressed(picture: np.ndarray) -> None:
    pictures = np.repeat(picture[None].astype(np.float32), 100, axis=0)
    seen = keras.ops.convert_to_numpy(RandomJpeg(1)(pictures, training=True))
    lost = np.abs(seen - pictures).mean(axis=(1, 2, 3))
    assert abs((lost > 0).mean() - JPEG.probability) < 0.15
    assert np.ptp(lost[lost > 0]) > 1
