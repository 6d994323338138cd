"""Pictures in another colour space than sRGB, with its ICC profile: the file is right, and the viewer must convert.

A profile here is the smallest that ICC.1:2001-04 (version 2) allows for a display: a matrix and a curve.
"""

import struct
from typing import Final

import numpy as np
from PIL import Image

from training.colour_spaces import D65, SRGB, ColourSpace, xyz_of

D50: Final = np.array([0.9642, 1.0, 0.8249])  # XYZ of the white of all ICC profiles
CURVE_POINTS: Final = 1024

# The linear Bradford transform, ICC.1:2001-04, annex E: from XYZ to the responses of the eye's cones.
_BRADFORD: Final = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def convert_to(space: ColourSpace, picture: Image.Image) -> Image.Image:
    """Convert an sRGB picture to another space that contains sRGB; the colours stay the same."""
    matrix = np.linalg.inv(space.to_xyz()) @ SRGB.to_xyz()
    linear = SRGB.decode(np.arange(256) / 255).astype(np.float32)[np.asarray(picture)]
    mixed = np.clip(linear @ matrix.T.astype(np.float32), 0, 1)
    return Image.fromarray((255 * space.encode(mixed) + 0.5).astype(np.uint8))


def icc_profile(space: ColourSpace) -> bytes:
    """Write the ICC profile of a space."""
    cones = _BRADFORD @ xyz_of(*D65)
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
