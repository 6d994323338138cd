"""Recognizes HEIC files by their first box (ISO/IEC 14496-12, section 4.3)."""

from typing import Final

HEIF_CONTENT_TYPES: Final = ("image/heic", "image/heif")

HEVC_BRANDS: Final = frozenset({b"heic", b"heix", b"heim", b"heis"})  # still pictures (ISO/IEC 23008-12, annex B)
ANY_STILL_BRAND: Final = b"mif1"  # still pictures in any format
AVIF_BRANDS: Final = frozenset({b"avif", b"avis"})  # not decoded here
MAX_BRANDS: Final = 32  # files have three to ten


def sniff_heif(encoded: bytes) -> str | None:
    """Return `image/heic` or `image/heif`, or None if the file declares no still picture that may be HEVC.

    Files of phones have the brand heic, first or among the others. A file with only mif1 can have HEVC, too.
    """
    if encoded[4:8] != b"ftyp":
        return None
    end = min(int.from_bytes(encoded[:4], "big"), len(encoded), 16 + 4 * MAX_BRANDS)
    brands = {encoded[8:12], *(encoded[at : at + 4] for at in range(16, end - 3, 4))}
    if brands & HEVC_BRANDS:
        return "image/heic"
    return "image/heif" if ANY_STILL_BRAND in brands and not brands & AVIF_BRANDS else None
