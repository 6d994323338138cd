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


def lossless_jpeg(picture: Image.Image, bits: int = 8) -> bytes:
    """Write a lossless JPEG (T.81, annex H): each sample as its difference from the one at its left or above."""
    planes, (width, height) = [plane.tobytes() for plane in picture.split()], picture.size
    codes = []
    for at in range(width * height):
        for plane in planes:
            before = plane[at - 1] if at % width else plane[at - width] if at else 128
            difference = plane[at] - before
            length = abs(difference).bit_length()
            value = difference if difference > 0 else difference + (1 << length) - 1
            codes.append(f"{length:05b}" + (f"{value:0{length}b}" if length else ""))
    joined = "".join(codes)
    joined += "1" * (-len(joined) % 8)
    data = bytes(int(joined[at : at + 8], 2) for at in range(0, len(joined), 8)).replace(b"\xff", b"\xff\0")
    numbers = range(1, len(planes) + 1)
    frame = struct.pack(">BHHB", bits, height, width, len(planes)) + b"".join(bytes((at, 0x11, 0)) for at in numbers)
    table = bytes((0, 0, 0, 0, 0, 17, *bytes(11), *range(17)))  # 17 codes of five bits
    scan = bytes((len(planes),)) + b"".join(bytes((at, 0)) for at in numbers) + bytes((1, 0, 0))
    segments = jpeg_segment(0xC3, frame) + jpeg_segment(0xC4, table) + jpeg_segment(0xDA, scan)
    return b"\xff\xd8" + segments + data + b"\xff\xd9"


def film(body: bytes = b"") -> bytes:
    """Write the start of an MP4 film as phones append it; its bytes include markers of a JPEG."""
    brand = struct.pack(">L4s4sL4s4s", 24, b"ftyp", b"mp42", 0, b"mp42", b"isom")
    data = b"\xff\xda\0\x08\1\1\0\0\x3f\0" + b"frame " * 50 + b"\xff\xc0\xff\xd9" + body
    return brand + struct.pack(">L4s", len(data) + 8, b"mdat") + data


def samsung_trailer() -> bytes:
    """Write Samsung's blocks behind a picture, and their index."""
    block = b"\0\0\x30\x0a" + struct.pack("<L", 16) + b"MotionPhoto_Data" + film()
    index = b"SEFH" + struct.pack("<LLHHLL", 106, 1, 0, 0x0A30, len(block), len(block))
    return block + index + struct.pack("<L", len(index)) + b"SEFT"


def icc_segments(profile: bytes, chunks: int) -> list[bytes]:
    """Split a colour profile over several segments of a JPEG."""
    step = -(-len(profile) // chunks)
    parts = [profile[at : at + step] for at in range(0, len(profile), step)]
    return [
        jpeg_segment(0xE2, b"ICC_PROFILE\0" + bytes((number, len(parts))) + part)
        for number, part in enumerate(parts, 1)
    ]


def xmp_packet(orientation: int, *, element: bool = False) -> bytes:
    """Write an XMP packet with only the orientation."""
    attribute = b"" if element else b' tiff:Orientation="%d"' % orientation
    inside = b"<tiff:Orientation>%d</tiff:Orientation>" % orientation if element else b""
    return (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/"'
        + attribute
        + b">"
        + inside
        + b"</rdf:Description>"
        b"</rdf:RDF></x:xmpmeta>"
    )


def png_text(kind: bytes, keyword: bytes, text: bytes, *, compressed: bool = True) -> bytes:
    """Write a text chunk of a PNG."""
    packed = zlib.compress(text) if kind == b"zTXt" or (kind == b"iTXt" and compressed) else text
    middle = {b"tEXt": b"", b"zTXt": b"\0", b"iTXt": bytes((compressed, 0)) + b"\0\0"}[kind]
    return png_chunk(kind, keyword + b"\0" + middle + packed)


def raw_profile_text(name: bytes, body: bytes) -> bytes:
    """Write a block as ImageMagick writes it into a text of a PNG."""
    digits = body.hex().encode()
    lines = b"\n".join(digits[at : at + 72] for at in range(0, len(digits), 72))
    return b"\n" + name + b"\n%8d\n" % len(body) + lines + b"\n"


def exif_block(order: str, orientation: int, *, kind: int = 3, before: int = 0) -> bytes:
    """Write a TIFF directory with the orientation, as a number of type `kind`, after `before` other entries."""
    other = struct.pack(f"{order}HHLHH", 0x0100, 3, 1, 7, 0)
    number = {1: "BBH", 3: "HH", 4: "L"}.get(kind, "HH")
    entry = struct.pack(f"{order}HHL{number}", 0x0112, kind, 1, orientation, *bytes(len(number) - 1))
    mark = {"<": b"II*\0", ">": b"MM\0*"}[order]
    return mark + struct.pack(f"{order}LH", 8, before + 1) + other * before + entry + bytes(4)
