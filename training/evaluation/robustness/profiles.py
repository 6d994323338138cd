"""Pictures in another colour space than sRGB, with its ICC profile: the file is right, and the viewer must convert.

A profile here is the smallest that ICC.1:2001-04 (version 2) allows for a display: a matrix and a curve.
"""

import struct
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image

D50: Final = np.array([0.9642, 1.0, 0.8249])  # XYZ of the white of all ICC profiles
D65: Final = (0.3127, 0.3290)  # x, y
CURVE_POINTS: Final = 1024
ADOBE_GAMMA: Final = 563 / 256  # "2.2" of Adobe RGB (1998), section 4.3.1.2

# The linear Bradford transform, ICC.1:2001-04, annex E: from XYZ to the responses of the eye's cones.
_BRADFORD: Final = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


@dataclass(frozen=True)
class ColourSpace:
    """An RGB space with the white point D65."""

    name: str
    primaries: tuple[tuple[float, float], ...]  # x, y of red, green and blue
    gamma: float | None = None  # None: the curve of sRGB, IEC 61966-2-1

    def to_xyz(self) -> np.ndarray:
        """Return the matrix from linear RGB to XYZ under D65: shape (3, 3)."""
        xyz = np.array([_xyz(*primary) for primary in self.primaries]).T
        return np.asarray(xyz * np.linalg.solve(xyz, _xyz(*D65)))

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


SRGB: Final = ColourSpace("sRGB", ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06)))
DISPLAY_P3: Final = ColourSpace("Display P3", ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)))  # SMPTE EG 432-1
ADOBE_RGB: Final = ColourSpace("Adobe RGB (1998)", ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06)), ADOBE_GAMMA)


def convert_to(space: ColourSpace, picture: Image.Image) -> Image.Image:
    """Convert an sRGB picture to another space that contains sRGB; the colours stay the same."""
    matrix = np.linalg.inv(space.to_xyz()) @ SRGB.to_xyz()
    linear = SRGB.decode(np.arange(256) / 255).astype(np.float32)[np.asarray(picture)]
    mixed = np.clip(linear @ matrix.T.astype(np.float32), 0, 1)
    return Image.fromarray((255 * space.encode(mixed) + 0.5).astype(np.uint8))


def icc_profile(space: ColourSpace) -> bytes:
    """Write the ICC profile of a space."""
    cones = _BRADFORD @ _xyz(*D65)
    adaptation = np.linalg.inv(_BRADFORD) @ np.diag((_BRADFORD @ D50) / cones) @ _BRADFORD
    colorants = (adaptation @ space.to_xyz()).T
    curve = _curve(space)
    tags = {
        b"desc": _description(space.name),
        b"cprt": b"text" + bytes(4) + b"No copyright\0",
        b"wtpt": _xyz_tag(D50),
        **{name + b"XYZ": _xyz_tag(colorant) for name, colorant in zip((b"r", b"g", b"b"), colorants, strict=True)},
        **{name + b"TRC": curve for name in (b"r", b"g", b"b")},
    }
    table, body, at = struct.pack(">I", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for name, value in tags.items():
        table += name + struct.pack(">II", at + len(body), len(value))
        body += value + bytes(-len(value) % 4)  # each tag starts at a multiple of four
    header = struct.pack(
        ">I4xI4s4s4s12x4s28x3i48x", at + len(body), 0x02400000, b"mntr", b"RGB ", b"XYZ ", b"acsp", *_fixed(D50)
    )
    return header + table + body


def _xyz(x: float, y: float) -> np.ndarray:
    """Return XYZ of a chromaticity, with Y = 1."""
    return np.array([x / y, 1, (1 - x - y) / y])


def _curve(space: ColourSpace) -> bytes:
    """Write the curve from stored values to linear light: a gamma, or a table."""
    if space.gamma is not None:
        return b"curv" + struct.pack(">4xIH", 1, round(256 * space.gamma))
    points = space.decode(np.linspace(0, 1, CURVE_POINTS))
    return b"curv" + struct.pack(">4xI", CURVE_POINTS) + np.round(65535 * points).astype(">u2").tobytes()


def _xyz_tag(xyz: np.ndarray) -> bytes:
    return b"XYZ " + struct.pack(">4x3i", *_fixed(xyz))


def _fixed(values: np.ndarray) -> list[int]:
    """Convert to ICC's numbers with 16 bits after the point."""
    return [round(65536 * value) for value in values.tolist()]


def _description(name: str) -> bytes:
    """Write a textDescriptionType without its optional Unicode and Macintosh parts."""
    text = name.encode() + b"\0"
    return b"desc" + struct.pack(">4xI", len(text)) + text + bytes(4 + 4 + 2 + 1 + 67)
