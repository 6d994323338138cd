"""Pictures whose pixels need their metadata, as phones and programs write it: colour profiles, orientation, endings."""

import struct
import zlib
from collections.abc import Callable

from PIL import Image

from tests.icc_profiles import cmyk_profile, grey_profile, profile, rgb_profile
from tests.picture_blocks import (
    exif_block,
    film,
    icc_segments,
    insert_after_soi,
    jpeg_segment,
    lossless_jpeg,
    png_chunk,
    png_text,
    raw_profile_text,
    samsung_trailer,
    with_png_chunks,
    xmp_packet,
)

XMP_PREFIX = b"http://ns.adobe.com/xap/1.0/\0"
XMP_KEYWORD = b"XML:com.adobe.xmp"


def with_profiles(rgb: Image.Image, encode: Callable[..., bytes]) -> dict[str, bytes]:
    """Profiles of every kind, sound and hostile."""
    jpeg, png, p3 = encode(rgb, "JPEG"), encode(rgb, "PNG"), rgb_profile("Display P3")
    chunks = icc_segments(p3, 4)
    return {
        **{f"{kind}, Display P3 profile": encode(rgb, kind, icc_profile=p3) for kind in ("JPEG", "PNG", "WEBP")},
        "JPEG, Adobe RGB profile": encode(rgb, "JPEG", icc_profile=rgb_profile("Adobe RGB")),
        "JPEG, grey with a profile": encode(rgb.convert("L"), "JPEG", icc_profile=grey_profile(1.8)),
        "JPEG, grey with a colour profile": encode(rgb.convert("L"), "JPEG", icc_profile=p3),
        "JPEG, CMYK with a profile": encode(rgb.convert("CMYK"), "JPEG", icc_profile=cmyk_profile(50)),
        "PNG, transparent, with a profile": encode(rgb.convert("RGBA"), "PNG", icc_profile=p3),
        "JPEG, colour profile in segments of any order": insert_after_soi(jpeg, b"".join(chunks[::-1])),
        "JPEG, colour profile with a missing segment": insert_after_soi(jpeg, b"".join(chunks[1:])),
        "PNG, colour profile that decompresses to 50 MB": with_png_chunks(
            png, png_chunk(b"iCCP", b"bomb\0\0" + zlib.compress(p3 + bytes(50_000_000)))
        ),
        **{
            f"JPEG, colour profile: {what}": encode(rgb, "JPEG", icc_profile=hostile)
            for what, hostile in hostile_profiles().items()
        },
    }


def hostile_profiles() -> dict[str, bytes]:
    """RGB profiles that cannot be used."""
    p3 = rgb_profile("Display P3")
    table = bytes((3, 3, 255, 0)) + struct.pack(">9l", *(65536, 0, 0, 0, 65536, 0, 0, 0, 65536))
    curves = struct.pack(">BBH5L", 3, 3, 0, 0, 0, 0, 32, 0) + b"\xff" * 16 + b"\1\0\0\0" + bytes(9000)
    program = b"mpet\0\0\0\0" + struct.pack(">HHL", 3, 3, 30_000) + bytes(240_000)
    return {
        "truncated in its header": p3[:100],
        "truncated in a tag": p3[:-40],
        "no tag": profile(b"RGB ", {}),
        "a million tags": p3[:128] + struct.pack(">L", 1_000_000) + p3[132:],
        "tags outside it": p3[:148] + b"\xff\xff\xff\0" + p3[152:],
        "for links between devices": p3[:12] + b"link" + p3[16:],
        "a table of 16 million points, without them": profile(
            b"RGB ", {b"A2B0": b"mft1\0\0\0\0" + table + bytes(9000)}, connection=b"Lab "
        ),
        "a curve table of 4 billion points, without them": profile(
            b"RGB ", {b"A2B0": b"mAB \0\0\0\0" + curves}, connection=b"Lab "
        ),
        "a program of 30,000 steps": profile(b"RGB ", {b"D2B0": program, b"A2B0": program}),
    }


def with_orientations(rgb: Image.Image, encode: Callable[..., bytes]) -> dict[str, bytes]:
    """Orientation 6 wherever programs write it; the pixels are as given, so the answer is turned."""
    jpeg, png = encode(rgb, "JPEG"), encode(rgb, "PNG")
    exif, bomb = b"Exif\0\0" + exif_block("<", 6), xmp_packet(6) + bytes(50_000_000)
    return {
        "JPEG, orientation as LONG": encode(rgb, "JPEG", exif=b"Exif\0\0" + exif_block("<", 6, kind=4)),
        "JPEG, orientation as BYTE": encode(rgb, "JPEG", exif=b"Exif\0\0" + exif_block(">", 6, kind=1)),
        "JPEG, orientation in XMP": insert_after_soi(jpeg, jpeg_segment(0xE1, XMP_PREFIX + xmp_packet(6))),
        "JPEG, orientation in an XMP element": insert_after_soi(
            jpeg, jpeg_segment(0xE1, XMP_PREFIX + xmp_packet(6, element=True))
        ),
        "JPEG, orientation 0 in EXIF and 6 in XMP": insert_after_soi(
            encode(rgb, "JPEG", exif=b"Exif\0\0" + exif_block("<", 0)),
            jpeg_segment(0xE1, XMP_PREFIX + xmp_packet(6)),
        ),
        "PNG, orientation in XMP": with_png_chunks(
            png, png_text(b"iTXt", XMP_KEYWORD, xmp_packet(6), compressed=False)
        ),
        "PNG, orientation in compressed XMP": with_png_chunks(png, png_text(b"iTXt", XMP_KEYWORD, xmp_packet(6))),
        "PNG, XMP that decompresses to 50 MB": with_png_chunks(png, png_text(b"iTXt", XMP_KEYWORD, bomb)),
        "WebP, orientation in XMP": encode(rgb, "WEBP", xmp=xmp_packet(6)),
        **{
            f"PNG, orientation in a raw profile ({kind.decode()}, {name.decode()})": with_png_chunks(
                png, png_text(kind, b"Raw profile type " + name, raw_profile_text(name, exif))
            )
            for kind in (b"tEXt", b"zTXt", b"iTXt")
            for name in (b"exif", b"APP1")
        },
        "PNG, raw profile that decompresses to 50 MB": with_png_chunks(
            png, png_text(b"zTXt", b"Raw profile type exif", raw_profile_text(b"exif", exif) + b"0" * 50_000_000)
        ),
    }


def without_end(jpeg: bytes, progressive: bytes) -> dict[str, bytes]:
    """JPEGs with all of their pixels but without an end-of-image marker."""
    return {
        "JPEG, without its last byte": jpeg[:-1],
        "JPEG, without its end": jpeg[:-2],
        "JPEG, progressive, without its end": progressive[:-2],
        "JPEG, Samsung's trailer in place of its end": jpeg[:-2] + samsung_trailer(),
        "JPEG, progressive, Samsung's trailer in place of its end": progressive[:-2] + samsung_trailer(),
        "JPEG, a film in place of its end": jpeg[:-2] + film(),
        "JPEG, another picture in place of its end": jpeg[:-2] + progressive,
        "JPEG, markers in place of its end": jpeg[:-2] + b"trailer \xff\xda\0\x08\1\1\0\0\x3f\0 \xff\xc0\0\x03\0" * 9,
    }


def with_endings(jpeg: bytes) -> dict[str, bytes]:
    """JPEGs with their end and something behind it."""
    return {
        "JPEG followed by Samsung's trailer": jpeg + samsung_trailer(),
        "JPEG followed by a film": jpeg + film(),
        "JPEG followed by another picture": jpeg + jpeg,
    }


def incomplete(jpeg: bytes, progressive: bytes) -> dict[str, bytes]:
    """JPEGs with missing pixels, behind which something else follows."""
    cut, last_scan = len(jpeg) - 60, progressive.rindex(b"\xff\xda")
    return {
        "JPEG, truncated, Samsung's trailer": jpeg[:cut] + samsung_trailer(),
        "JPEG, truncated, a film": jpeg[:cut] + film(),
        "JPEG, truncated, another picture": jpeg[:cut] + jpeg,
        "JPEG, truncated by 4 bytes": jpeg[:-4],
        "JPEG, progressive, without its last scan and its end": progressive[:last_scan],
    }


def lossless(rgb: Image.Image) -> dict[str, bytes]:
    """Lossless JPEGs (SOF3), as some medical programs export them."""
    return {"JPEG, lossless": lossless_jpeg(rgb), "JPEG, lossless, grey": lossless_jpeg(rgb.convert("L"))}
