"""Labelled pictures in memory: rows of the pixel cache, and the class of each."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Pictures:
    """Some rows of the pixel cache, and their classes."""

    pixels: np.ndarray  # RGB in 0..255: uint8, shape (all pictures, size, size, 3); usually mapped from disk
    rows: np.ndarray  # positions in `pixels`
    class_index: np.ndarray  # of each row

    def __len__(self) -> int:
        return len(self.rows)

    def batch(self, start: int, length: int) -> np.ndarray:
        """Read the pixels of consecutive rows: uint8, shape (up to length, size, size, 3)."""
        return np.asarray(self.pixels[self.rows[start : start + length]])
