"""Mixes two training examples."""

from typing import Any

import keras
from keras import ops


class Mix(keras.layers.Layer):  # type: ignore[misc]
    """Mixes two pictures, or their frozen features (mixup: Zhang et al. 2018, arXiv:1710.09412)."""

    def call(self, first: Any, second: Any, share: Any) -> Any:
        """Add `share` of the first and 1 - `share` of the second. Shapes (N, height, width, channels) and (N,)."""
        first, second = ops.cast(first, "float32"), ops.cast(second, "float32")
        return second + ops.reshape(share, (-1, 1, 1, 1)) * (first - second)
