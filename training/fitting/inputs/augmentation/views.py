"""The views of a picture that the frozen stages see."""

from collections.abc import Iterator
from typing import Any

import numpy as np


def exact_views(pixels: np.ndarray, count: int) -> Iterator[np.ndarray]:
    """Yield views of a batch without interpolation: the original and its mirror image, each turned by quarters.

    The frozen stages see these views: their output is computed once, so it cannot change from epoch to epoch.

    Args:
        pixels: shape (N, size, size, 3).
        count: of views, 1 to 8; the first is `pixels`.
    """
    for view in range(count):
        quarters, mirrored = divmod(view, 2)
        turned: np.ndarray[Any, Any] = np.rot90(pixels, quarters, axes=(1, 2))
        yield turned[:, :, ::-1] if mirrored else turned
