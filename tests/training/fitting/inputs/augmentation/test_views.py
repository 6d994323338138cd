"""The views that the frozen stages see: exact ones, and photographic changes that the seed decides."""

import numpy as np
import pytest

from training.fitting.inputs.augmentation.views import PhotographicChanges, exact_view
from training.fitting.inputs.features import predict


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (20, 32, 32, 3), np.uint8)


def test_the_first_view_is_the_picture_and_all_eight_have_the_same_pixels_in_other_places(pixels: np.ndarray) -> None:
    views = [exact_view(pixels, view) for view in range(10)]
    assert np.array_equal(views[0], pixels)
    assert len({view.tobytes() for view in views}) == 8
    assert all(np.array_equal(np.sort(view, axis=None), np.sort(pixels, axis=None)) for view in views)
    assert np.array_equal(views[9], views[1])


def test_seed_view_and_place_decide_the_photographic_changes(pixels: np.ndarray) -> None:
    changes, same, other = PhotographicChanges(1, 32), PhotographicChanges(1, 32), PhotographicChanges(2, 32)
    first = changes.apply(pixels, 1, 64, predict)
    later = [changes.apply(pixels, 2, 64, predict), changes.apply(pixels, 1, 128, predict),
             other.apply(pixels, 1, 64, predict)]  # fmt: skip
    assert first.dtype == np.uint8
    assert first.shape == pixels.shape
    assert not np.array_equal(first, pixels)
    assert np.array_equal(same.apply(pixels, 1, 64, predict), first)
    assert np.array_equal(changes.apply(pixels, 1, 64, predict), first)
    assert len({each.tobytes() for each in (first, *later)}) == 4
    assert changes.identity == same.identity != other.identity
