"""Hairs, ink and rulers are drawn on some pictures, with their colours and in their places."""

import keras
import numpy as np
import pytest

from training.fitting.inputs.augmentation.changes import HAIRS, INK, RULER, Change
from training.fitting.inputs.augmentation.marks import RandomHairs, RandomInk, RandomRuler
from training.fitting.inputs.augmentation.random_layer import RandomLayer

SKIN = np.full((200, 96, 96, 3), (220, 170, 150), np.float32)


def draw(layer: RandomLayer) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(layer(SKIN, training=True)))


@pytest.mark.parametrize(
    ("layer", "change", "largest_area"),
    [(RandomHairs(1), HAIRS, 0.12), (RandomInk(1), INK, 0.08), (RandomRuler(1), RULER, 0.1)],
)
def test_marks_cover_a_small_part_of_some_pictures(layer: RandomLayer, change: Change, largest_area: float) -> None:
    touched = np.abs(draw(layer) - SKIN).max(axis=3) > 5
    areas = touched.mean(axis=(1, 2))
    assert abs((areas > 0).mean() - change.probability) < 0.06
    assert 0.001 < np.median(areas[areas > 0]) < largest_area / 2
    assert areas.max() < largest_area


def test_hairs_are_thin_and_darker_than_the_skin() -> None:
    seen = draw(RandomHairs(1))
    assert (seen <= SKIN + 1e-3).all()
    touched = np.abs(seen - SKIN).max(axis=3) > 60
    inner = touched[:, 1:-1, 1:-1]
    neighbours = [touched[:, 1 + y : 95 + y, 1 + x : 95 + x] for y in (-1, 0, 1) for x in (-1, 0, 1)]
    surrounded = np.all(neighbours, axis=0)
    assert surrounded.sum() < 0.1 * inner.sum()


def test_ink_is_blue_violet_or_black_and_leaves_the_middle_free() -> None:
    seen = draw(RandomInk(1))
    strongest = np.abs(seen - SKIN).sum(axis=3).reshape(len(seen), -1)
    inked = strongest.max(axis=1) > 100
    colours = seen.reshape(len(seen), -1, 3)[np.arange(len(seen)), strongest.argmax(axis=1)][inked]
    assert (colours[:, 2] - colours[:, 0] > SKIN[0, 0, 0, 2] - SKIN[0, 0, 0, 0]).all()  # bluer than the skin
    assert len({tuple(np.round(colour, -1)) for colour in colours}) > 3
    np.testing.assert_array_equal(seen[:, 42:54, 42:54], SKIN[:, 42:54, 42:54])


def test_a_ruler_has_ticks_at_equal_distances_beside_the_middle() -> None:
    seen = draw(RandomRuler(1))
    np.testing.assert_array_equal(seen[:, 42:54, 42:54], SKIN[:, 42:54, 42:54])
    touched = np.abs(seen - SKIN).max(axis=3) > 30
    ruled = touched[touched.any(axis=(1, 2))]
    peaks = []
    for picture in ruled:
        points = np.argwhere(picture) - 47.5
        spread, axes = np.linalg.eigh(np.cov(points.T))
        places = points @ axes[:, 1]  # along the row of ticks
        spectrum = np.abs(np.exp(2j * np.pi * np.outer(np.arange(9, 40) / 96, places)).mean(axis=1))
        peaks.append(spectrum.max())
        assert spread[1] > spread[0]
    assert np.median(peaks) > 0.5  # as many waves as ticks; points without an order have about 0.1
