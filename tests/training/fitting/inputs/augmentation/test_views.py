"""The views that the frozen stages see."""

import numpy as np

from training.fitting.inputs.augmentation.views import exact_views


def test_the_first_view_is_the_picture_and_all_eight_have_the_same_pixels_in_other_places() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), np.uint8)
    views = list(exact_views(pixels, 8))
    assert np.array_equal(views[0], pixels)
    assert len({view.tobytes() for view in views}) == 8
    assert all(np.array_equal(np.sort(view, axis=None), np.sort(pixels, axis=None)) for view in views)
