"""Converts the colours of a picture with an ICC profile to sRGB, which the training pictures have.

The profile comes from an untrusted file: a damaged, oversized or unusual one is ignored, and the pixels count as sRGB.
Pillow's LittleCMS is loaded only for a profile that differs from sRGB.
"""

import io
import math
import struct
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from PIL import Image

if TYPE_CHECKING:
    from PIL.ImageCms import ImageCmsTransform

CACHED_TRANSFORMS: Final = 4  # building one takes three times as long as using it on the model's square
_MODES: Final = {b"RGB ": "RGB", b"GRAY": "L", b"CMYK": "CMYK"}  # colour space of a profile -> mode of Pillow
_CLASSES: Final = frozenset({b"mntr", b"scnr", b"prtr", b"spac"})  # display, input, output, colour space
_HEADER_BYTES: Final = 128
_MAX_TAGS: Final = 100  # LittleCMS reads no more
# The primaries of sRGB, adapted to D50: rXYZ, gXYZ, bXYZ (IEC 61966-2-1; as in the ICC's own sRGB2014.icc).
_SRGB_XYZ: Final = {
    b"rXYZ": (0.4361, 0.2225, 0.0139),
    b"gXYZ": (0.3851, 0.7169, 0.0971),
    b"bXYZ": (0.1431, 0.0606, 0.7141),
}
_XYZ_TOLERANCE: Final = 0.002
_CURVE_TOLERANCE: Final = 0.002  # of linear light, 0..1
_CURVE_POINTS: Final = (0.02, 0.1, 0.3, 0.5, 0.7, 0.9)


def to_srgb(picture: Image.Image, profile: bytes) -> Image.Image:
    """Convert a picture to sRGB.

    Args:
        picture: RGB or CMYK pixels; a grey picture as RGB.
        profile: an ICC profile, unchecked; empty if there is none.

    Returns:
        RGB pixels. If the profile cannot be used, they are the given ones, CMYK converted without a profile.
    """
    space = profile_space(profile)
    if (picture.mode == "CMYK") == (space == "CMYK") and space is not None and not _is_srgb(profile):
        transform = _transform(profile, space)
        if transform is not None:
            return transform.apply(picture.getchannel("R") if space == "L" else picture)
    return picture.convert("RGB")


def profile_space(profile: bytes) -> str | None:
    """Return the mode of the pixels that a profile is for: RGB, L or CMYK; None if it cannot be used."""
    if len(profile) < _HEADER_BYTES + 4 or profile[36:40] != b"acsp" or profile[12:16] not in _CLASSES:
        return None
    tags = _tags(profile)
    if not tags or not all(_is_small(profile, at) for at, _ in tags.values()):
        return None
    return _MODES.get(profile[16:20])


def _is_small(profile: bytes, at: int) -> bool:
    """Return whether LittleCMS can read a tag in little time and memory.

    A `mpet` tag is a program of any length, which LittleCMS runs for each of its 36,000 grid points. For a table, it
    allocates as many points as the header declares, up to 512 MB, before it reads them.
    """
    kind, header = profile[at : at + 4], profile[at + 8 : at + 11]
    if kind in (b"mft1", b"mft2") and len(header) == 3:
        inputs, outputs, grid = header
        return bool(outputs * grid**inputs <= len(profile))
    if kind in (b"mAB ", b"mBA ") and len(header) == 3:
        inputs, outputs, _ = header
        table = at + int.from_bytes(profile[at + 24 : at + 28], "big")
        points = math.prod(profile[table : table + inputs]) if table > at else 0
        return outputs * points <= len(profile)
    return kind != b"mpet"


@lru_cache(maxsize=CACHED_TRANSFORMS)
def _transform(profile: bytes, mode: str) -> "ImageCmsTransform | None":
    from PIL import ImageCms

    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return ImageCms.ImageCmsTransform(
            source, ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")), mode, "RGB", ImageCms.Intent.PERCEPTUAL
        )
    except (OSError, ValueError):  # LittleCMS refuses the profile
        return None


def _tags(profile: bytes) -> dict[bytes, tuple[int, int]]:
    """Read the tag table (ICC.1:2022, section 7.3): signature -> offset and size; empty if it is damaged."""
    (count,) = struct.unpack_from(">L", profile, _HEADER_BYTES)
    if count > _MAX_TAGS or _HEADER_BYTES + 4 + 12 * count > len(profile):
        return {}
    entries = (struct.unpack_from(">4sLL", profile, _HEADER_BYTES + 4 + 12 * index) for index in range(count))
    return {signature: (offset, size) for signature, offset, size in entries}


def _is_srgb(profile: bytes) -> bool:
    """Return whether a profile has the primaries and the curve of sRGB; a profile with a table has neither."""
    tags = _tags(profile)
    if profile[16:20] != b"RGB " or b"A2B0" in tags:
        return False
    try:
        for name, expected in _SRGB_XYZ.items():
            found = struct.unpack_from(">3i", profile, tags[name][0] + 8)
            if any(abs(value / 65536 - wanted) > _XYZ_TOLERANCE for value, wanted in zip(found, expected, strict=True)):
                return False
        return all(_has_srgb_curve(profile, tags[name][0]) for name in (b"rTRC", b"gTRC", b"bTRC"))
    except (KeyError, struct.error):
        return False


def _has_srgb_curve(profile: bytes, at: int) -> bool:
    """Compare a table (`curv`) or formula (`para`) at some points with sRGB's curve."""
    if profile[at : at + 4] == b"para":
        function, _, *values = struct.unpack_from(">HH5i", profile, at + 8)
        g, a, b, c, d = (value / 65536 for value in values)
        return function == 3 and all(
            abs(((a * x + b) ** g if x >= d else c * x) - _srgb_light(x)) < _CURVE_TOLERANCE
            for x in _CURVE_POINTS
            if a * x + b >= 0
        )
    (count,) = struct.unpack_from(">L", profile, at + 8)
    if profile[at : at + 4] != b"curv" or not 256 <= count <= 4096:
        return False
    table = struct.unpack_from(f">{count}H", profile, at + 12)
    return all(
        abs(table[round(x * (count - 1))] / 65535 - _srgb_light(round(x * (count - 1)) / (count - 1)))
        < _CURVE_TOLERANCE
        for x in _CURVE_POINTS
    )


def _srgb_light(value: float) -> float:
    """Compute the linear light of an sRGB value, both 0..1 (IEC 61966-2-1)."""
    return float(((value + 0.055) / 1.055) ** 2.4) if value > 0.04045 else value / 12.92
