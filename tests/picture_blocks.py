"""Builds picture files block by block, for files that ordinary programs do not write."""

import io
import re
import struct
import zlib

from PIL import Image, ImageChops

START_OF_FRAME = re.compile(rb"\xff[\xc0-\xc2]")
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4, 5: 1}  # of PNG's colour types; there is no 5


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">L", len(body)) + kind + body + struct.pack(">L", zlib.crc32(kind + body))


def png_file(
    width: int, height: int, bits: int, colour_type: int, pixels: bytes, before: bytes = b"", *, rows: int | None = None
) -> bytes:
    """Write a PNG of unfiltered rows; `rows` of them if that differs from the height."""
    stride = (width * bits * CHANNELS[colour_type] + 7) // 8
    lines = (b"\0" + pixels[row * stride : (row + 1) * stride] for row in range(height if rows is None else rows))
    return _png(width, height, bits, colour_type, 0, before, b"".join(lines))


def interlaced_png(picture: Image.Image) -> bytes:
    """Write an RGB picture in Adam7's seven passes (PNG specification, section 8)."""
    width, height = picture.size
    lines = bytearray()
    for left, top, step_x, step_y in ADAM7:
        for y in range(top, height, step_y):
            columns = [picture.getpixel((x, y)) for x in range(left, width, step_x)]
            lines += b"\0" + b"".join(bytes(pixel) for pixel in columns if isinstance(pixel, tuple))
    return _png(width, height, 8, 2, 1, b"", bytes(lines))


def _png(width: int, height: int, bits: int, colour_type: int, interlace: int, before: bytes, lines: bytes) -> bytes:
    header = struct.pack(">LLBBBBB", width, height, bits, colour_type, 0, 0, interlace)
    chunks = png_chunk(b"IHDR", header) + before + png_chunk(b"IDAT", zlib.compress(lines)) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def with_png_chunks(png: bytes, chunks: bytes) -> bytes:
    """Put chunks between a PNG's header and whatever follows it."""
    return png[:33] + chunks + png[33:]


def riff_chunk(kind: bytes, body: bytes) -> bytes:
    """Write a WebP file of one chunk of 4000 bytes: `body`, then zeros."""
    padded = body + bytes(4000 - len(body))
    inside = b"WEBP" + kind + struct.pack("<L", len(padded)) + padded
    return b"RIFF" + struct.pack("<L", len(inside)) + inside


def jpeg_segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body


def insert_after_soi(jpeg: bytes, segments: bytes) -> bytes:
    return jpeg[:2] + segments + jpeg[2:]


def resized_jpeg_header(jpeg: bytes, width: int, height: int) -> bytes:
    """Change the size in the frame header of a JPEG, but not its pixels."""
    frame = START_OF_FRAME.search(jpeg)
    assert frame is not None
    at = frame.start() + 5
    return jpeg[:at] + struct.pack(">HH", height, width) + jpeg[at + 4 :]


def with_scans(progressive_jpeg: bytes, scans: int) -> bytes:
    """Repeat the last scan of a progressive JPEG: each has only a few bytes, but visits every pixel."""
    last = progressive_jpeg[progressive_jpeg.rindex(b"\xff\xda") : -2]
    return progressive_jpeg[:-2] + last * scans + b"\xff\xd9"


def ycck_jpeg(picture: Image.Image) -> bytes:
    """Write an RGB picture as Photoshop writes CMYK: inks as Y, Cb, Cr, and K, all inverted (Adobe technote 5116).

    Pillow inverts the four planes of CMYK and writes them; one byte then marks them as YCCK.
    """
    inks = ImageChops.invert(picture).convert("YCbCr").split()
    planes = (*inks, Image.new("L", picture.size, 255))  # 255 is no black ink
    encoded = io.BytesIO()
    Image.merge("CMYK", [ImageChops.invert(plane) for plane in planes]).save(encoded, "JPEG", quality=95)
    cmyk = encoded.getvalue()
    transform = cmyk.index(b"Adobe") + 11
    return cmyk[:transform] + b"\2" + cmyk[transform + 1 :]


def arithmetic_jpeg(width: int, height: int) -> bytes:
    """Write a grey JPEG with arithmetic coding (T.81, annex D); its zeros decode to one shade."""
    scan = jpeg_segment(0xDA, bytes((1, 1, 0, 0, 63, 0))) + bytes(8)
    return _grey_jpeg(0xC9, 8, width, height) + scan + b"\xff\xd9"


def twelve_bit_jpeg(width: int, height: int) -> bytes:
    """Write a grey JPEG with 12 bits per pixel, which the standard has but browsers do not support."""
    tables = b"".join(jpeg_segment(0xC4, bytes((kind, 1, *bytes(15), 0))) for kind in (0x00, 0x10))
    scan = jpeg_segment(0xDA, bytes((1, 1, 0, 0, 63, 0))) + bytes(width * height // 64)
    return _grey_jpeg(0xC1, 12, width, height) + tables + scan + b"\xff\xd9"


def _grey_jpeg(frame_marker: int, bits: int, width: int, height: int) -> bytes:
    frame = struct.pack(">BHHB", bits, height, width, 1) + bytes((1, 0x11, 0))
    return b"\xff\xd8" + jpeg_segment(0xDB, b"\0" + b"\1" * 64) + jpeg_segment(frame_marker, frame)
