"""Augmentation acts only in training, stays in range, is decided by its seed, and is as docs/training.md says."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Literal

import keras
import numpy as np
import pytest

from training.fitting.inputs.augmentation.border import RandomBorder
from training.fitting.inputs.augmentation.build import build_augmentation
from training.fitting.inputs.augmentation.camera import RandomCamera
from training.fitting.inputs.augmentation.changes import CHANGES
from training.fitting.inputs.augmentation.detail import RandomDetail
from training.fitting.inputs.augmentation.jpeg import RandomJpeg
from training.fitting.inputs.augmentation.light import RandomLight
from training.fitting.inputs.augmentation.marks import RandomHairs, RandomInk, RandomRuler
from training.fitting.inputs.augmentation.place import RandomPlace

DOCS = Path(__file__).parents[5] / "docs" / "training.md"
LAYERS = [RandomPlace, RandomHairs, RandomInk, RandomRuler, RandomBorder, RandomDetail, RandomLight, RandomCamera, RandomJpeg]  # fmt: skip  # noqa: E501


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    """Enough pictures that each kind of change is made in one of them."""
    return np.random.default_rng(0).integers(0, 256, (48, 32, 32, 3), np.uint8)


def seen_by(layer: keras.layers.Layer, pictures: np.ndarray) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(layer(pictures, training=True)))


@pytest.mark.parametrize("kind", ["basic", "full"])
def test_pictures_are_changed_only_in_training(pixels: np.ndarray, kind: Literal["basic", "full"]) -> None:
    augmentation = build_augmentation(1, kind)
    seen = seen_by(augmentation, pixels)
    unchanged = keras.ops.convert_to_numpy(augmentation(pixels, training=False))
    assert seen.dtype == np.float32
    assert seen.shape == pixels.shape
    assert 0 <= seen.min() < seen.max() <= 255
    assert all(not np.allclose(after, before, atol=1) for after, before in zip(seen, pixels, strict=True))
    assert np.array_equal(unchanged, pixels)


@pytest.mark.parametrize("build", LAYERS)
def test_the_same_seed_changes_pictures_in_the_same_way(
    pixels: np.ndarray, build: Callable[[int], keras.layers.Layer]
) -> None:
    layer = build(1)
    pictures = pixels.astype(np.float32)
    first, second, other = (seen_by(each, pictures) for each in (layer, build(1), build(2)))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first, seen_by(layer, pictures))  # and steps differ too


@pytest.mark.parametrize("build", LAYERS)
def test_a_layer_keeps_pictures_that_are_not_square_in_shape_and_range(
    build: Callable[[int], keras.layers.Layer],
) -> None:
    pictures = np.random.default_rng(2).uniform(0, 255, (48, 22, 40, 3)).astype(np.float32)
    seen = seen_by(build(1), pictures)
    assert (seen.shape, seen.dtype) == (pictures.shape, pictures.dtype)
    assert -1e-3 <= seen.min() < seen.max() <= 255.001


def test_most_pictures_get_one_change_or_two_or_three_and_some_none() -> None:
    """The number of changes besides place, as the sum of independent draws."""
    shares = np.array([1.0])
    for change in CHANGES[1:]:
        shares = np.convolve(shares, [1 - change.probability, change.probability])
    assert shares[0] > 0.1
    assert shares[1:3].sum() > 0.5
    assert shares[4:].sum() < 0.15


def test_the_ranges_are_in_order() -> None:
    for change in CHANGES:
        assert 0 < change.probability <= 1
        assert all(low < high for low, high in change.ranges.values()), change.name


def test_the_documentation_shows_every_change_with_its_values() -> None:
    rows = [
        f"| {change.name} | {change.probability:g} | "
        + "; ".join(f"{name} {low:g} to {high:g}" for name, (low, high) in change.ranges.items())
        + " |"
        for change in CHANGES
    ]
    lines = DOCS.read_text().splitlines()
    found = [lines.index(row) for row in rows]
    assert all(later == earlier + 1 for earlier, later in pairwise(found))
