"""Pictures that people, cameras, programs and attackers may send, each with its expected answer."""

import io
import random
import struct
import zipfile
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from PIL import Image, ImageCms, PngImagePlugin

from tests.heic_files import (
    encode_heic,
    heic_of_10_bits,
    heic_of_two_pictures,
    heic_with_size,
    only_a_video,
)
from tests.odd_metadata import incomplete, lossless, with_endings, with_orientations, with_profiles, without_end
from tests.picture_blocks import (
    arithmetic_jpeg,
    insert_after_soi,
    interlaced_png,
    jpeg_segment,
    lossless_jpeg,
    png_chunk,
    png_file,
    resized_jpeg_header,
    riff_chunk,
    twelve_bit_jpeg,
    with_png_chunks,
    with_scans,
    ycck_jpeg,
)

SIDE_PX = 96
PROSE = b"Neither a picture nor anything like one. "

ORIENTATIONS = {  # EXIF orientation -> how a camera that writes it stores an upright picture
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


class OddPicture(NamedTuple):
    """The bytes, the expected HTTP status, and the expected error code (None for status 200)."""

    encoded: bytes
    status: int
    code: str | None


@cache
def odd_pictures() -> dict[str, OddPicture]:
    """Make all pictures; each is within the size limit of the API, and none is empty."""
    answered = {
        name: OddPicture(encoded, 200, None) for name, encoded in (_usual() | _unusual() | _decorated()).items()
    }
    refused = [
        (_other_formats(), 415, "unsupported_picture"),
        (_damaged(), 422, "unreadable_image"),
        (_too_many_pixels(), 422, "too_many_pixels"),
        (_too_few_pixels(), 422, "too_few_pixels"),
    ]
    return answered | {
        name: OddPicture(encoded, status, code)
        for pictures, status, code in refused
        for name, encoded in pictures.items()
    }


def plain_picture(mode: str = "RGB", size: tuple[int, int] = (SIDE_PX, 72)) -> Image.Image:
    """Paint smooth spots of colour: always the same, and with detail everywhere."""
    seed = Image.frombytes("RGB", (12, 9), random.Random(7).randbytes(12 * 9 * 3))
    painted = seed.resize(size, Image.Resampling.BICUBIC)
    if mode in ("RGBA", "LA"):
        painted.putalpha(Image.linear_gradient("L").resize(size))
    return painted.convert(mode)


def encode(picture: Image.Image, kind: str, **options: Any) -> bytes:
    """Encode a picture with Pillow, or as HEIC."""
    if kind == "HEIC":
        return encode_heic(picture, **options)
    encoded = io.BytesIO()
    picture.save(encoded, kind, **options)
    return encoded.getvalue()


def _usual() -> dict[str, bytes]:
    rgb = plain_picture()
    return {
        "JPEG": encode(rgb, "JPEG"),
        "JPEG, progressive": encode(rgb, "JPEG", progressive=True),
        "JPEG, optimized": encode(rgb, "JPEG", optimize=True),
        "JPEG, colour at full resolution": encode(rgb, "JPEG", subsampling=0),
        "JPEG, colour at half resolution": encode(rgb, "JPEG", subsampling=1),
        "JPEG, with restart markers": encode(rgb, "JPEG", restart_marker_blocks=2),
        "JPEG, grey": encode(plain_picture("L"), "JPEG"),
        "PNG": encode(rgb, "PNG"),
        "PNG, 1-bit": encode(plain_picture("1"), "PNG"),
        "PNG, grey": encode(plain_picture("L"), "PNG"),
        "PNG, grey and alpha": encode(plain_picture("LA"), "PNG"),
        "PNG, RGBA": encode(plain_picture("RGBA"), "PNG"),
        "PNG, palette": encode(rgb.quantize(64), "PNG"),
        "PNG, palette of 4 bits": encode(rgb.quantize(16), "PNG", bits=4),
        "PNG, palette with a transparent colour": encode(rgb.quantize(64), "PNG", transparency=3),
        "PNG, palette with alpha": encode(rgb.quantize(64), "PNG", transparency=bytes(range(0, 256, 4))),
        "WebP": encode(rgb, "WEBP"),
        "WebP, lossless": encode(rgb, "WEBP", lossless=True),
        "WebP, transparent": encode(plain_picture("RGBA"), "WEBP"),
        "WebP, transparent and lossless": encode(plain_picture("RGBA"), "WEBP", lossless=True),
        "HEIC": encode(rgb, "HEIC"),
        "HEIC, colour at full resolution": encode(rgb, "HEIC", chroma=444),
        "HEIC, grey": encode(plain_picture("L"), "HEIC"),
        "HEIC, transparent": encode(plain_picture("RGBA"), "HEIC"),
        "HEIC, odd sides": encode(plain_picture(size=(97, 73)), "HEIC"),
        "one pixel over the smallest side": encode(plain_picture(size=(33, 33)), "PNG"),
        "the smallest side": encode(plain_picture(size=(32, 32)), "WEBP"),
        "a strip of 8000 x 40": encode(plain_picture(size=(8000, 40)), "JPEG"),
        "a strip of 40 x 8000": encode(plain_picture(size=(40, 8000)), "PNG"),
        "PNG of 30 megapixels": encode(Image.new("L", (6_000, 5_000), 128), "PNG"),
        "50 megapixels": encode(Image.new("L", (10_000, 5_000), 128), "JPEG"),
    }


def _unusual() -> dict[str, bytes]:
    rgb = plain_picture()
    frames = [Image.new("RGB", (SIDE_PX, 72), colour) for colour in ("blue", "lime")]
    noise = random.Random(1).randbytes
    return {
        "JPEG, CMYK": encode(plain_picture("CMYK"), "JPEG"),
        "JPEG, YCCK": ycck_jpeg(rgb),
        "JPEG, stored as RGB": encode(rgb, "JPEG", keep_rgb=True),
        "JPEG, arithmetic coding": arithmetic_jpeg(64, 48),
        **lossless(plain_picture(size=(64, 48))),
        "JPEG, two pictures in one (MPO)": encode(rgb, "MPO", save_all=True, append_images=frames),
        "JPEG, fill bytes between segments": insert_after_soi(encode(rgb, "JPEG"), b"\xff" * 9),
        "PNG, animated": encode(rgb, "PNG", save_all=True, append_images=frames, duration=100),
        "PNG, animated, with a separate still picture": encode(
            rgb, "PNG", save_all=True, append_images=frames, default_image=True
        ),
        "PNG, interlaced": interlaced_png(rgb),
        "PNG, 16-bit grey": png_file(40, 40, 16, 0, noise(40 * 40 * 2)),
        "PNG, 16-bit grey, one shade transparent": png_file(
            40, 40, 16, 0, b"\x80\x40" * 1600, png_chunk(b"tRNS", b"\x80\x40")
        ),
        "PNG, 16-bit grey and alpha": png_file(40, 40, 16, 4, noise(40 * 40 * 4)),
        "PNG, 16-bit RGB": png_file(40, 40, 16, 2, noise(40 * 40 * 6)),
        "PNG, 16-bit RGB, one colour transparent": png_file(
            40, 40, 16, 2, b"\x80\x40" * 4800, png_chunk(b"tRNS", b"\x80\x40" * 3)
        ),
        "PNG, 16-bit RGBA": png_file(40, 40, 16, 6, noise(40 * 40 * 8)),
        "PNG, 4-bit grey, one shade transparent": png_file(
            40, 40, 4, 0, b"\x88" * 800, png_chunk(b"tRNS", b"\x00\x08")
        ),
        "PNG, 1-bit, one shade transparent": png_file(40, 40, 1, 0, b"\xff" * 200, png_chunk(b"tRNS", b"\x00\x01")),
        "PNG, RGB, one colour transparent": encode(rgb, "PNG", transparency=(1, 2, 3)),
        "PNG, palette too short for its pixels": png_file(40, 40, 8, 3, b"\x09" * 1600, png_chunk(b"PLTE", bytes(6))),
        "PNG, without its last chunk": encode(rgb, "PNG")[:-12],
        "HEIC, tiles": encode(plain_picture(size=(300, 200)), "HEIC", tile_size=128),
        "HEIC, 10 bits": heic_of_10_bits(plain_picture("L")),
        "HEIC, two pictures in one": heic_of_two_pictures(rgb, plain_picture(size=(64, 64))),
        "HEIC, with a thumbnail": encode(rgb, "HEIC", thumbnails=[32]),
        "WebP, animated": encode(rgb, "WEBP", save_all=True, append_images=frames, duration=100),
    }


def _decorated() -> dict[str, bytes]:
    """Valid pixels with unusual or damaged blocks around them."""
    rgb = plain_picture()
    jpeg, png, webp = encode(rgb, "JPEG"), encode(rgb, "PNG"), encode(rgb, "WEBP")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("page.html", "<script>alert(1)</script>")
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "x" * 20_000_000, zip=True)
    many = PngImagePlugin.PngInfo()
    for number in range(3000):
        many.add_itxt(f"Note {number}", "word " * 20)
    profile = random.Random(2).randbytes(200_000)
    telling = Image.Exif()
    telling[0x010E] = "Jane Doe, left shoulder"  # ImageDescription
    telling.get_ifd(0x8825).update({1: "N", 2: (48.0, 12.0, 30.0), 3: "E", 4: (16.0, 22.0, 0.0)})  # GPS
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    icc = b"ICC_PROFILE\0"
    return {
        "JPEG, GPS and a name in its EXIF": encode(rgb, "JPEG", exif=telling),
        "PNG, GPS and a name in its EXIF": encode(rgb, "PNG", exif=telling),
        "WebP, GPS and a name in its EXIF": encode(rgb, "WEBP", exif=telling),
        "HEIC, GPS and a name in its EXIF": encode(rgb, "HEIC", exif=telling),
        "JPEG, sRGB profile": encode(rgb, "JPEG", icc_profile=srgb),
        "PNG, sRGB profile": encode(rgb, "PNG", icc_profile=srgb),
        "JPEG, profile of another colour space": encode(rgb, "JPEG", icc_profile=lab),
        **{
            f"{kind}, EXIF orientation {orientation}": encode(rgb, kind, exif=_orientation(orientation))
            for kind in ("JPEG", "PNG", "WEBP", "HEIC")
            for orientation in range(1, 9)
        },
        **with_profiles(rgb, encode),
        **with_orientations(rgb, encode),
        **without_end(jpeg, encode(rgb, "JPEG", progressive=True)),
        **with_endings(jpeg),
        "JPEG followed by a zip": jpeg + archive.getvalue(),
        "JPEG followed by HTML": jpeg + b"<html><script>alert(1)</script></html>",
        "PNG followed by garbage": png + PROSE * 50,
        "WebP followed by garbage": webp + PROSE * 50,
        "HEIC followed by garbage": encode(rgb, "HEIC") + PROSE * 50,
        "JPEG, HTML in its comment": encode(rgb, "JPEG", comment=b"<html><script>alert(1)</script>"),
        "JPEG, colour profile in many segments": encode(rgb, "JPEG", icc_profile=profile),
        "JPEG, truncated colour profile": insert_after_soi(jpeg, jpeg_segment(0xE2, icc)),
        "JPEG, truncated JFIF header": b"\xff\xd8" + jpeg_segment(0xE0, b"JFIF\0") + jpeg[20:],
        "JPEG, truncated Adobe header": insert_after_soi(jpeg, jpeg_segment(0xEE, b"Adobe")),
        "JPEG, truncated Photoshop block": insert_after_soi(jpeg, jpeg_segment(0xED, b"Photoshop 3.0\x008BIM\4")),
        "JPEG, damaged index of pictures": insert_after_soi(jpeg, jpeg_segment(0xE2, b"MPF\0" + PROSE)),
        "PNG, colour profile": encode(rgb, "PNG", icc_profile=profile),
        "PNG, colour profile of 8 MB": encode(rgb, "PNG", icc_profile=bytes(8_000_000)),
        "PNG, text of 20 MB": encode(rgb, "PNG", pnginfo=text),
        "PNG, 3000 texts": encode(rgb, "PNG", pnginfo=many),
        "PNG, text with a wrong checksum": with_png_chunks(png, png_chunk(b"tEXt", b"Title\0x")[:-1] + b"?"),
        "PNG, chunks of another program": with_png_chunks(png, png_chunk(b"vpAg", bytes(9)) + png_chunk(b"zzZz", b"")),
        "WebP, colour profile": encode(rgb, "WEBP", icc_profile=profile),
        **{
            f"{kind}, EXIF: {what}": encode(rgb, kind, exif=exif)
            for kind in ("JPEG", "PNG", "WEBP")
            for what, exif in _damaged_exif().items()
        },
    }


def _orientation(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def _damaged_exif() -> dict[str, bytes]:
    entry = struct.pack("<HHLHH", 0x0112, 3, 1, 6, 0)
    return {
        name: b"Exif\0\0" + tiff
        for name, tiff in {
            "plain text": PROSE,
            "truncated": b"II*\0\x08\0\0\0\xff\xff" + entry[:7],
            "an offset outside it": b"II*\0\xff\xff\xff\xff",
            "an offset to its start": b"MM\0*\0\0\0\0",
            "orientation of a wrong type": b"II*\0\x08\0\0\0\1\0" + struct.pack("<HHLf", 0x0112, 11, 1, 6.0),
            "orientation out of range": b"II*\0\x08\0\0\0\1\0" + struct.pack("<HHLHH", 0x0112, 3, 1, 9, 0),
            "impossible counts": b"II*\0\x08\0\0\0\2\0" + struct.pack("<HHLL", 0x011A, 5, 2**31, 8) * 2,
        }.items()
    }


def _other_formats() -> dict[str, bytes]:
    rgb = plain_picture()
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("lesion.jpg", encode(rgb, "JPEG"))
    return {
        "GIF": encode(rgb, "GIF"),
        "BMP": encode(rgb, "BMP"),
        "TIFF": encode(rgb, "TIFF"),
        "AVIF": encode(rgb, "AVIF"),
        "ICO": encode(rgb, "ICO"),
        "HEIC, only a video": only_a_video(),
        "SVG": b'<svg xmlns="http://www.w3.org/2000/svg" width="99" height="99"><rect width="9" height="9"/></svg>',
        "PDF": b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n%%EOF\n",
        "HTML": b"<!doctype html><title>Not found</title>",
        "JSON": b'{"image": null}',
        "text": PROSE,
        "zip with a JPEG in it": archive.getvalue(),
        "RIFF with audio": b"RIFF" + struct.pack("<L", 100) + b"WAVEfmt " + bytes(92),
        "one byte": b"\xff",
        "zeros": bytes(4096),
        "a JPEG after one byte": b"\n" + encode(rgb, "JPEG"),
        "a base64 JPEG": b"/9j/4AAQSkZJRgABAQAAAQABAAD",
    }


def _damaged() -> dict[str, bytes]:
    rgb = plain_picture()
    whole = {
        "JPEG": encode(rgb, "JPEG"),
        "JPEG, progressive": encode(rgb, "JPEG", progressive=True),
        "PNG": encode(rgb, "PNG"),
        "WebP": encode(rgb, "WEBP"),
        "WebP, lossless": encode(rgb, "WEBP", lossless=True),
        "WebP, transparent": encode(plain_picture("RGBA"), "WEBP"),
        "HEIC": encode(rgb, "HEIC"),
        "HEIC, tiles": encode(plain_picture(size=(300, 200)), "HEIC", tile_size=128),
    }
    cuts: dict[str, Callable[[int], int]] = {
        "after 24 bytes": lambda _: 24,
        "after 10%": lambda length: length // 10,
        "in the middle": lambda length: length // 2,
        "near the end": lambda length: length - 60,
    }
    jpeg, png, webp, heic = whole["JPEG"], whole["PNG"], whole["WebP"], whole["HEIC"]
    middle = len(png) // 2
    return {
        **{
            f"{name}, truncated {where}": full[: cut(len(full))]
            for name, full in whole.items()
            for where, cut in cuts.items()
        },
        "JPEG, only its signature": jpeg[:3],
        "PNG, only its signature": png[:8],
        "WebP, only its signature": webp[:12],
        **incomplete(jpeg, whole["JPEG, progressive"]),
        "HEIC, only its first box": heic[: heic.index(b"meta") - 4],
        "JPEG, HTML after the signature": jpeg[:3] + b"<html></html>" * 40,
        "JPEG, without image data": b"\xff\xd8" + jpeg_segment(0xE0, b"JFIF\0" + bytes(9)) + b"\xff\xd9",
        "JPEG, 12 bits": twelve_bit_jpeg(64, 48),
        "JPEG, lossless, 16 bits": lossless_jpeg(plain_picture("L", (64, 48)), bits=16),
        "JPEG of 2000 scans": with_scans(whole["JPEG, progressive"], 2000),
        "JPEG, its only scan repeated": with_scans(jpeg, 1),
        "JPEG, no rows": resized_jpeg_header(jpeg, SIDE_PX, 0),
        "PNG, damaged in the middle": png[:middle] + bytes(64) + png[middle + 64 :],
        "PNG, bytes missing in the middle": png[:middle] + png[middle + 500 :],
        "PNG, without pixel data": png[:33] + png_chunk(b"IEND", b""),
        "PNG, header with a wrong checksum": png[:29] + b"\0\0\0\0" + png[33:],
        "PNG, of an unknown colour type": png_file(40, 40, 8, 5, bytes(1600)),
        "WebP, bytes missing in the middle": webp[: len(webp) // 2] + webp[len(webp) // 2 + 100 :],
        "WebP, declared length too large": webp[:4] + struct.pack("<L", len(webp) + 100) + webp[8:],
        "WebP, declared length too small": webp[:4] + struct.pack("<L", len(webp) - 100) + webp[8:],
        "WebP, of an unknown kind": webp[:12] + b"VP9 " + webp[16:],
    }


def _too_many_pixels() -> dict[str, bytes]:
    """Small files whose headers declare many pixels."""
    jpeg = encode(plain_picture(), "JPEG")
    return {
        "JPEG of 60000 x 60000": resized_jpeg_header(jpeg, 60_000, 60_000),
        "JPEG of 10000 x 5001": resized_jpeg_header(jpeg, 10_000, 5_001),
        "JPEG, progressive, of 60000 x 60000": resized_jpeg_header(
            encode(plain_picture(), "JPEG", progressive=True), 60_000, 60_000
        ),
        "JPEG, CMYK, progressive, of 8000 x 5000": resized_jpeg_header(
            encode(plain_picture("CMYK"), "JPEG", progressive=True), 8_000, 5_000
        ),
        "PNG of 60000 x 60000": png_file(60_000, 60_000, 8, 2, bytes(180_001), rows=1),
        "PNG of 10000 x 5001": png_file(10_000, 5_001, 1, 0, bytes(1251), rows=1),
        "PNG of 2147483647 x 2147483647": png_file(2**31 - 1, 2**31 - 1, 8, 2, b"", rows=0),
        "WebP of 5000 x 4000": riff_chunk(
            b"VP8 ", b"\x30\x01\0\x9d\x01\x2a" + struct.pack("<HH", 5_000, 4_000) + bytes(20)
        ),
        "WebP of 16383 x 16383": riff_chunk(
            b"VP8 ", b"\x30\x01\0\x9d\x01\x2a" + struct.pack("<HH", 16_383, 16_383) + bytes(20)
        ),
        "WebP, lossless, of 16384 x 16384": riff_chunk(
            b"VP8L", b"\x2f" + struct.pack("<L", 16_383 | 16_383 << 14) + bytes(25)
        ),
        "HEIC of 60000 x 60000": heic_with_size(encode(plain_picture(), "HEIC"), 60_000, 60_000),
        "HEIC of 10000 x 5001": heic_with_size(encode(plain_picture(), "HEIC"), 10_000, 5_001),
        "WebP, extended, of 60000 x 60000": riff_chunk(b"VP8X", bytes(4) + (59_999).to_bytes(3, "little") * 2),
        "WebP, extended, of 16777216 x 255": riff_chunk(b"VP8X", bytes(4) + b"\xff\xff\xff" + b"\xfe\0\0"),
    }


def _too_few_pixels() -> dict[str, bytes]:
    return {
        f"{kind} of {width} x {height}": encode(plain_picture(size=(width, height)), kind)
        for kind in ("JPEG", "PNG", "WEBP", "HEIC")
        for width, height in ((1, 1), (31, 400), (400, 31))
    }
