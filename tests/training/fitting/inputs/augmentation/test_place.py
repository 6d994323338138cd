"""The resampling gives what Keras's gives, and a lesion is moved within bounds."""

import keras
import numpy as np
import pytest

from training.fitting.inputs.augmentation.place import RandomPlace, resample


@pytest.mark.parametrize("shape", [(6, 32, 32, 3), (4, 21, 40, 1)])
def test_resampling_gives_what_keras_gives(shape: tuple[int, ...]) -> None:
    """With turns, zooms, mirror images and shifts of up to three sides, so that reflections are reflected again."""
    random = np.random.default_rng(1)
    pictures = random.uniform(0, 255, shape).astype(np.float32)
    transforms = random.uniform(-1.5, 1.5, (len(pictures), 8)).astype(np.float32)
    transforms[:, [2, 5]] *= 60
    transforms[:, 6:] = 0
    transforms[0, :6] = [1, 0, 0, 0, 1, 0]
    given = keras.ops.convert_to_numpy(resample(pictures, transforms[:, :6]))
    expected = keras.ops.convert_to_numpy(
        keras.ops.image.affine_transform(pictures, transforms, interpolation="bilinear", fill_mode="reflect")
    )
    np.testing.assert_allclose(given[0], pictures[0], atol=1e-4)
    np.testing.assert_allclose(given, expected, atol=0.02)  # of 255; places differ by rounding


def test_a_lesion_is_moved_turned_scaled_and_mirrored_within_bounds() -> None:
    """Three spots, asymmetric about the middle: the places of their brightest points show the transform."""
    size = 65
    spots = np.array([[32, 32], [32, 44], [24, 32]])  # the middle, 12 to its right, 8 above it; row, column
    down, across = np.mgrid[:size, :size]
    distance = (down - spots[:, 0, None, None]) ** 2 + (across - spots[:, 1, None, None]) ** 2
    picture = np.moveaxis(255 * np.exp(-distance / 8), 0, -1).astype(np.float32)  # a spot in each channel
    seen = keras.ops.convert_to_numpy(RandomPlace(7)(np.repeat(picture[None], 64, axis=0), training=True))
    seen = seen[:, 7:-7, 7:-7]  # a reflection of a spot may be further out
    places = np.stack([np.stack(np.unravel_index(seen[..., c].reshape(64, -1).argmax(1), (size - 14, size - 14)), 1)
                       for c in range(3)], 1).astype(float)  # fmt: skip
    assert np.abs(places[:, 0] - 25).max() <= 0.1 * size + 1.5
    assert np.ptp(places[:, 0], axis=0).min() > 0.1 * size
    right, above = places[:, 1] - places[:, 0], places[:, 2] - places[:, 0]
    lengths = np.hypot(*right.T)
    assert (lengths >= 12 / 1.15 - 1.5).all()
    assert (lengths <= 12 / 0.85 + 1.5).all()
    assert np.abs((right * above).sum(1)).max() < 30  # still at right angles, to a pixel
    turns = np.arctan2(right[:, 0], right[:, 1])
    assert turns.min() < -2
    assert turns.max() > 2
    hand = np.sign(right[:, 0] * above[:, 1] - right[:, 1] * above[:, 0])
    assert set(hand) == {-1, 1}  # some are mirrored and some are not
