"""Augmentation: acts in training alone, stays in range, and the exact views are eight different ones."""

import keras
import numpy as np
import pytest

from training.fitting.augment import build_augmentation, exact_views


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), np.uint8)


def test_pictures_are_changed_in_training_and_nowhere_else(pixels: np.ndarray) -> None:
    augmentation = build_augmentation(seed=1)
    seen = keras.ops.convert_to_numpy(augmentation(pixels, training=True))
    asked = keras.ops.convert_to_numpy(augmentation(pixels, training=False))
    assert seen.dtype == np.float32
    assert 0 <= seen.min() < seen.max() <= 255
    assert all(not np.allclose(after, before, atol=1) for after, before in zip(seen, pixels, strict=True))
    assert np.array_equal(asked, pixels)


def test_the_same_seed_changes_pictures_the_same_way(pixels: np.ndarray) -> None:
    once, again, other = (
        keras.ops.convert_to_numpy(build_augmentation(seed)(pixels, training=True)) for seed in (1, 1, 2)
    )
    assert np.array_equal(once, again)
    assert not np.array_equal(once, other)


def test_the_first_view_is_the_picture_and_all_eight_differ_only_in_place(pixels: np.ndarray) -> None:
    views = list(exact_views(pixels, 8))
    assert np.array_equal(views[0], pixels)
    assert len({view.tobytes() for view in views}) == 8
    assert all(np.array_equal(np.sort(view, axis=None), np.sort(pixels, axis=None)) for view in views)
