"""Augmentation: it acts only in training and stays in range, and the eight exact views all differ."""

from collections.abc import Callable

import keras
import numpy as np
import pytest

from training.fitting.inputs.augment import Mix, RandomLight, RandomPlace, build_augmentation, exact_views


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


def test_a_lesion_is_moved_turned_scaled_and_mirrored_within_bounds() -> None:
    """Three spots, asymmetric about the middle: the places of their brightest points show the transform."""
    size = 65
    spots = np.array([[32, 32], [32, 44], [24, 32]])  # the middle, 12 to its right, 8 above it; row, column
    down, across = np.mgrid[:size, :size]
    distance = (down - spots[:, 0, None, None]) ** 2 + (across - spots[:, 1, None, None]) ** 2
    picture = np.moveaxis(255 * np.exp(-distance / 8), 0, -1).astype(np.float32)  # a spot in each channel
    seen = seen_by(RandomPlace(7), np.repeat(picture[None], 64, axis=0))
    places = np.stack([np.stack(np.unravel_index(seen[..., c].reshape(64, -1).argmax(1), (size, size)), 1)
                       for c in range(3)], 1).astype(float)  # fmt: skip
    assert np.abs(places[:, 0] - 32).max() <= 0.1 * size + 1.5
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


def test_light_changes_a_picture_of_one_colour_to_a_similar_colour() -> None:
    flat = np.full((64, 8, 8, 3), [180, 120, 100], np.float32)
    seen = seen_by(RandomLight(3), flat)
    assert np.ptp(seen, axis=(1, 2)).max() < 1e-3
    moved = seen[:, 0, 0] - flat[:, 0, 0]
    assert np.abs(moved).max() < 25.5 + 0.06 * 196 + 0.2 * 60 + 1
    assert moved.std(axis=0).min() > 5
    assert (moved[:, 0] - moved[:, 2]).std() > 3  # the colour changes too, not only the brightness


def test_mixup_adds_the_given_share_of_the_first_picture(pixels: np.ndarray) -> None:
    mixed = keras.ops.convert_to_numpy(Mix()(pixels, pixels[::-1], np.array([1, 0, 0.25, 0.5], np.float32)))
    assert np.array_equal(mixed[0], pixels[0])
    assert np.array_equal(mixed[1], pixels[2])
    np.testing.assert_allclose(mixed[2], 0.25 * pixels[2] + 0.75 * pixels[1], atol=1e-3)


def test_the_first_view_is_the_picture_and_all_eight_have_the_same_pixels_in_other_places(pixels: np.ndarray) -> None:
    views = list(exact_views(pixels, 8))
    assert np.array_equal(views[0], pixels)
    assert len({view.tobytes() for view in views}) == 8
    assert all(np.array_equal(np.sort(view, axis=None), np.sort(pixels, axis=None)) for view in views)
