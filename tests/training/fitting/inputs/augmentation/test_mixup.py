"""Mixup adds a share of each of two pictures."""

import keras
import numpy as np

from training.fitting.inputs.augmentation.mixup import Mix


def test_mixup_adds_the_given_share_of_the_first_picture() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), np.uint8)
    mixed = keras.ops.convert_to_numpy(Mix()(pixels, pixels[::-1], np.array([1, 0, 0.25, 0.5], np.float32)))
    assert np.array_equal(mixed[0], pixels[0])
    assert np.array_equal(mixed[1], pixels[2])
    np.testing.assert_allclose(mixed[2], 0.25 * pixels[2] + 0.75 * pixels[1], atol=1e-3)
