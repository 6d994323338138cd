"""Builds small ICC profiles (ICC.1:2022), and computes their colours independently of the decoder."""

import struct
from typing import NamedTuple

import numpy as np

# Primaries adapted to D50, one row each for red, green and blue: XYZ.
SRGB_XYZ = np.array([(0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410)])
P3_XYZ = np.array([(0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407)])
ADOBE_XYZ = np.array([(0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457)])
PROPHOTO_XYZ = np.array([(0.79767, 0.28804, 0.00000), (0.13519, 0.71188, 0.00000), (0.03134, 0.00009, 0.82491)])
D50 = (0.9642, 1.0, 0.8249)
SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


class Space(NamedTuple):
    """An RGB colour space: its primaries and its gamma, None for sRGB's curve."""

    xyz: np.ndarray
    gamma: float | None


SPACES = {
    "sRGB": Space(SRGB_XYZ, None),
    "Display P3": Space(P3_XYZ, None),
    "Adobe RGB": Space(ADOBE_XYZ, 563 / 256),
    "ProPhoto": Space(PROPHOTO_XYZ, 1.8),
}


def rgb_profile(name: str) -> bytes:
    """Write a profile of primaries and curves."""
    xyz, gamma = SPACES[name]
    curve = formula() if gamma is None else gamma_curve(gamma)
    primaries = {tag: _xyz(row) for tag, row in zip((b"rXYZ", b"gXYZ", b"bXYZ"), xyz.tolist(), strict=True)}
    return profile(b"RGB ", {**primaries, b"rTRC": curve, b"gTRC": curve, b"bTRC": curve})


def grey_profile(gamma: float) -> bytes:
    return profile(b"GRAY", {b"kTRC": gamma_curve(gamma)})


def cmyk_profile(lightness_of_cyan: float) -> bytes:
    """Write a printer's profile with a table of 16 grey corners: paper white, cyan of this lightness, else black."""
    corners = [(0, 128, 128)] * 16
    corners[0b0000] = (255, 128, 128)
    corners[0b1000] = (round(lightness_of_cyan * 2.55), 128, 128)  # cyan is the first, slowest input
    identity = b"".join(_fixed(value) for value in (1, 0, 0, 0, 1, 0, 0, 0, 1))
    table = b"mft1\0\0\0\0" + bytes((4, 3, 2, 0)) + identity
    table += bytes(range(256)) * 4 + b"".join(map(bytes, corners)) + bytes(range(256)) * 3
    return profile(b"CMYK", {b"A2B0": table}, device=b"prtr", connection=b"Lab ")


def profile(space: bytes, tags: dict[bytes, bytes], *, device: bytes = b"mntr", connection: bytes = b"XYZ ") -> bytes:
    """Write the header, the tag table and the tags."""
    tags = {b"wtpt": _xyz(list(D50)), **tags}
    at = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">L", len(tags)), b""
    for signature, value in tags.items():
        table += struct.pack(">4sLL", signature, at + len(body), len(value))
        body += value + bytes(-len(value) % 4)
    header = struct.pack(">L4sL4s4s4s", at + len(body), bytes(4), 0x0400_0000, device, space, connection)
    return (header + bytes(12) + b"acsp" + bytes(28) + _xyz(list(D50))[8:] + bytes(48)) + table + body


def gamma_curve(gamma: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">LH", 1, round(gamma * 256)) + bytes(2)


def formula() -> bytes:
    """Write the curve of sRGB as a formula."""
    return b"para\0\0\0\0" + struct.pack(">HH", 3, 0) + b"".join(_fixed(value) for value in SRGB_CURVE)


def table_curve(entries: int) -> bytes:
    """Write the curve of sRGB as a table."""
    light = _light(np.linspace(0, 1, entries), None)
    return b"curv\0\0\0\0" + struct.pack(f">L{entries}H", entries, *np.round(light * 65535).astype(int).tolist())


def srgb_of(colour: tuple[int, int, int], name: str) -> list[int]:
    """Convert one colour to sRGB, clipped to what sRGB has."""
    xyz, gamma = SPACES[name]
    light = _light(np.array(colour) / 255, gamma) @ xyz @ np.linalg.inv(SRGB_XYZ)
    return [round(value * 255) for value in _encoded(np.clip(light, 0, 1)).tolist()]


def srgb_of_light(light: float) -> int:
    return round(float(_encoded(np.array([light]))[0]) * 255)


def _light(values: np.ndarray, gamma: float | None) -> np.ndarray:
    if gamma is not None:
        return np.asarray(values**gamma)
    return np.where(values > 0.04045, ((values + 0.055) / 1.055) ** 2.4, values / 12.92)


def _encoded(light: np.ndarray) -> np.ndarray:
    return np.where(light > 0.0031308, 1.055 * light ** (1 / 2.4) - 0.055, 12.92 * light)


def _xyz(values: list[float]) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(_fixed(value) for value in values)


def _fixed(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))
