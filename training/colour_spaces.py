"""The RGB colour spaces in which cameras and phones store pictures."""

from dataclasses import dataclass
from typing import Final

import numpy as np

D65: Final = (0.3127, 0.3290)  # x, y of the white of all these spaces
ADOBE_GAMMA: Final = 563 / 256  # "2.2" of Adobe RGB (1998), section 4.3.1.2


@dataclass(frozen=True)
class ColourSpace:
    """An RGB space with the white point D65."""

    name: str
    primaries: tuple[tuple[float, float], ...]  # x, y of red, green and blue
    gamma: float | None = None  # None: the curve of sRGB, IEC 61966-2-1

    def to_xyz(self) -> np.ndarray:
        """Return the matrix from linear RGB to XYZ under D65: shape (3, 3)."""
        xyz = np.array([xyz_of(*primary) for primary in self.primaries]).T
        return np.asarray(xyz * np.linalg.solve(xyz, xyz_of(*D65)))

    def decode(self, values: np.ndarray) -> np.ndarray:
        """Turn stored values into linear light, both 0..1."""
        if self.gamma is not None:
            return np.asarray(values**self.gamma)
        return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)

    def encode(self, linear: np.ndarray) -> np.ndarray:
        """Turn linear light into stored values, both 0..1."""
        if self.gamma is not None:
            return np.asarray(linear ** (1 / self.gamma))
        return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)


SRGB: Final = ColourSpace("sRGB", ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06)))  # IEC 61966-2-1
DISPLAY_P3: Final = ColourSpace("Display P3", ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)))  # SMPTE EG 432-1
ADOBE_RGB: Final = ColourSpace("Adobe RGB (1998)", ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06)), ADOBE_GAMMA)


def xyz_of(x: float, y: float) -> np.ndarray:
    """Return XYZ of a chromaticity, with Y = 1: shape (3,)."""
    return np.array([x / y, 1, (1 - x - y) / y])
