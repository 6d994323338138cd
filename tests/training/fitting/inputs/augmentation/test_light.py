"""Light changes the colours of a picture a little."""

import keras
import numpy as np

from training.fitting.inputs.augmentation.light import RandomLight


def test_light_changes_a_picture_of_one_colour_to_a_similar_colour() -> None:
    flat = np.full((64, 8, 8, 3), [180, 120, 100], np.float32)
    seen = keras.ops.convert_to_numpy(RandomLight(3)(flat, training=True))
    assert np.ptp(seen, axis=(1, 2)).max() < 1e-3
    moved = seen[:, 0, 0] - flat[:, 0, 0]
    assert np.abs(moved).max() < 25.5 + 0.06 * 196 + 0.2 * 60 + 1
    assert moved.std(axis=0).min() > 5
    assert (moved[:, 0] - moved[:, 2]).std() > 3  # the colour changes too, not only the brightness
