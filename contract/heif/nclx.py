"""Turns the colour description `nclx` of a HEIF file into an ICC profile, which Pillow can convert to sRGB.

Numbers are those of ITU-T H.273. The matrix and the range in `nclx` are libheif's business: they are applied when YCbCr
becomes RGB.
"""

import struct
from typing import Final

from contract.errors import UnsupportedPictureError

SRGB_PRIMARIES: Final = (1, 2, 5, 6, 7)  # BT.709, "unspecified", and BT.601, which hardly differs
DISPLAY_P3, BT2020 = 12, 9
HDR_TRANSFERS: Final = (16, 18)  # PQ and HLG: brighter than sRGB can show

# Red, green, blue: XYZ of each primary, adapted from D65 to D50 with the Bradford transform (ICC.1:2022, annex E), in
# 1/65536.
COLORANTS: Final = {
    DISPLAY_P3: ((33759, 15807, -69), (19135, 45367, 2745), (10296, 4363, 51385)),
    BT2020: ((44137, 18287, -127), (10857, 44259, 1965), (8195, 2989, 52222)),
}
D50: Final = (63190, 65536, 54061)
SRGB_CURVE: Final = (157286, 62119, 3417, 5072, 2651)  # g, a, b, c, d of IEC 61966-2-1, in 1/65536


def icc_profile_of(nclx: bytes) -> bytes:
    """Write an ICC profile for the primaries of an `nclx` box; b"" if they are those of sRGB, or unknown.

    The transfer curve is that of sRGB: cameras use it also with the number of BT.709.

    Args:
        nclx: the content of the box: primaries, transfer, matrix (16 bits each) and the range; or b"".

    Raises:
        UnsupportedPictureError: the picture is in HDR, for which there is no profile.
    """
    if len(nclx) < 6:
        return b""
    primaries, transfer, _ = struct.unpack_from(">HHH", nclx)
    if transfer in HDR_TRANSFERS:
        raise UnsupportedPictureError("The picture is in HDR (PQ or HLG). Please send it as JPEG.")
    return _matrix_profile(COLORANTS[primaries]) if primaries in COLORANTS else b""


def _matrix_profile(colorants: tuple[tuple[int, int, int], ...]) -> bytes:
    """Write an ICC profile of three primaries and one curve (ICC.1:2022, section 8.3.3)."""
    name = "from nclx".encode("utf-16-be")
    text = b"mluc" + struct.pack(">LLL2s2sLL", 0, 1, 12, b"en", b"US", len(name), 28) + name
    curve = b"para" + struct.pack(">LHH5l", 0, 3, 0, *SRGB_CURVE)
    tags = {b"desc": text, b"cprt": text, b"wtpt": _xyz(D50)}
    tags |= {kind: _xyz(primary) for kind, primary in zip((b"rXYZ", b"gXYZ", b"bXYZ"), colorants, strict=True)}
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    offset = 128 + 4 + 12 * len(tags)
    table, bodies = struct.pack(">L", len(tags)), b""
    for kind, body in tags.items():
        padded = body + bytes(-len(body) % 4)
        table += struct.pack(">4sLL", kind, offset + len(bodies), len(body))
        bodies += padded
    size, version = offset + len(bodies), 0x04400000
    header = struct.pack(">L4xL4s4s4s12x4s28x", size, version, b"mntr", b"RGB ", b"XYZ ", b"acsp")
    header += struct.pack(">3l", *D50)
    return header.ljust(128, b"\0") + table + bodies


def _xyz(value: tuple[int, int, int]) -> bytes:
    return b"XYZ " + struct.pack(">L3l", 0, *value)
