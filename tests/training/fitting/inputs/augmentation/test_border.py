"""The border of a dermoscope covers the corners and leaves the middle as it was."""

import keras
import numpy as np

from training.fitting.inputs.augmentation.border import RandomBorder
from training.fitting.inputs.augmentation.changes import BORDER


def test_a_border_covers_the_corners_of_some_pictures_and_never_the_middle() -> None:
    skin = np.full((400, 33, 33, 3), (200, 150, 130), np.float32)
    seen = keras.ops.convert_to_numpy(RandomBorder(5)(skin, training=True))
    changed = np.any(seen != skin, axis=(1, 2, 3))
    assert abs(changed.mean() - BORDER.probability) < 0.08
    np.testing.assert_array_equal(seen[:, 10:23, 10:23], skin[:, 10:23, 10:23])
    corners = seen[changed][:, [0, 0, -1, -1], [0, -1, 0, -1]].mean(axis=(1, 2))
    dark = corners < 30
    assert 0.6 < dark.mean() < 1
    assert np.any(corners > 130)
    covered = (seen[changed][dark].mean(axis=3) < 60).mean(axis=(1, 2))
    assert covered.max() > 0.4  # a circle of 0.75 of the side covers 0.56 of the square
    assert covered.min() < 0.1
