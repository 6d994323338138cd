"""Augmentation acts only in training, stays in range, and is decided by its seed."""

from collections.abc import Callable

import keras
import numpy as np
import pytest

from training.fitting.inputs.augmentation.build import build_augmentation
from training.fitting.inputs.augmentation.light import RandomLight
from training.fitting.inputs.augmentation.place import RandomPlace


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), np.uint8)


def seen_by(layer: keras.layers.Layer, pictures: np.ndarray) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(layer(pictures, training=True)))


def test_pictures_are_changed_only_in_training(pixels: np.ndarray) -> None:
    augmentation = build_augmentation(seed=1)
    seen = seen_by(augmentation, pixels)
    unchanged = keras.ops.convert_to_numpy(augmentation(pixels, training=False))
    assert seen.dtype == np.float32
    assert 0 <= seen.min() < seen.max() <= 255
    assert all(not np.allclose(after, before, atol=1) for after, before in zip(seen, pixels, strict=True))
    assert np.array_equal(unchanged, pixels)


@pytest.mark.parametrize("build", [RandomPlace, RandomLight, build_augmentation])
def test_the_same_seed_changes_pictures_in_the_same_way(
    pixels: np.ndarray, build: Callable[[int], keras.layers.Layer]
) -> None:
    layer = build(1)
    first, second, other = (seen_by(each, pixels.astype(np.float32)) for each in (layer, build(1), build(2)))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first, seen_by(layer, pixels.astype(np.float32)))  # and steps differ too
