"""The only picture decoder: from encoded bytes to upright RGB pixels, with limits against hostile input.

Training, the function and the page all open pictures here, so the model sees the same pixels in training and serving.
Importing this loads Pillow but not numpy, which only `decode_image` needs.
"""

import io
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from PIL import Image, ImageOps
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from contract.errors import (
    AnalyzerError,
    TooFewPixelsError,
    TooManyPixelsError,
    UnreadableImageError,
    UnsupportedPictureError,
)
from contract.metadata import SEQUENTIAL_FRAMES, START_OF_SCAN, jpeg_segments, strip_metadata

if TYPE_CHECKING:
    import numpy as np

# A cache of decoded pictures is reused only with the same version. Increase the version in the commit that changes the
# pixels that `decode_image` returns for any file; tests/contract/test_decoder_version.py compares them.
DECODER_VERSION: Final = 1

MAX_PIXELS: Final = 50_000_000  # a 50-megapixel phone photo; above it, a small file can be a decompression bomb
MAX_SCANS: Final = 100  # of a progressive JPEG; encoders make about ten, and each visits every pixel for a few bytes
MIN_SIDE_PX: Final = 32  # a smaller picture shows no lesion
CONTENT_TYPES: Final = ("image/jpeg", "image/png", "image/webp")
JPEG_QUALITY: Final = 90
MIN_CROP_SIDE_PX: Final = 128  # a smaller square is always scaled: the crop can be half a pixel off centre
MAX_CROP_SHARE: Final = 1 / 128  # of the square's side; if more would be cut off, the square is scaled

_UPRIGHT: Final = {  # EXIF orientation -> the operation that turns the stored pixels upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# Pillow's classes instead of Image.open(): that imports every plugin to find WebP's, treats a JPEG with two pictures as
# another format, and warns about large pictures.
_OPENERS: Final[dict[str, Callable[[io.BytesIO], ImageFile]]] = {
    "image/jpeg": JpegImageFile,
    "image/png": PngImageFile,
    "image/webp": WebPImageFile,
}


@dataclass(frozen=True, eq=False)
class DecodedImage:
    """The pixels that the model sees, and the size of the whole picture."""

    pixels: "np.ndarray"  # RGB in 0..255: uint8, shape (size, size, 3); the centre square of the upright picture
    width: int  # of the whole upright picture, in pixels
    height: int


def sniff_content_type(encoded: bytes) -> str | None:
    """Read the content type of a picture from its first bytes; None if it is none of `CONTENT_TYPES`.

    File names and Content-Type headers can be wrong; the decoder depends on the bytes.
    """
    if encoded.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if encoded.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if encoded.startswith(b"RIFF") and encoded[8:12] == b"WEBP":
        return "image/webp"
    return None


def decode_image(encoded: bytes, size: int) -> DecodedImage:
    """Open a picture, turn it upright, and scale its centre square to the input size of the model.

    Of an animation the first frame is used; transparent pixels are put on white; of EXIF only the orientation is read.

    Args:
        encoded: the bytes of a JPEG, PNG or WebP file.
        size: the side of the square to return, in pixels.

    Raises:
        UnsupportedPictureError: the bytes are not the start of a JPEG, PNG or WebP.
        TooManyPixelsError: the header declares more than MAX_PIXELS; nothing was decoded.
        TooFewPixelsError: a side is shorter than MIN_SIDE_PX.
        UnreadableImageError: the picture is truncated or damaged, or a JPEG with more than MAX_SCANS scans.
    """
    import numpy as np

    with _opened(encoded) as (picture, orientation):
        width, height = picture.size
        # JPEG: decode at the smallest scale of its DCT, 1/1 to 1/8, whose shorter side still has `size` pixels
        upright = _decode_upright(picture, orientation, draft_size=(size, size))
    square = _over_white(_centre_square(upright, size))
    turned = orientation >= 5
    return DecodedImage(np.asarray(square), *((height, width) if turned else (width, height)))


def to_plain_jpeg(encoded: bytes, max_side_px: int) -> bytes:
    """Re-encode a picture as an upright JPEG without any metadata, its longer side at most `max_side_px`.

    The shorter side stays at MIN_SIDE_PX or more, so that the result is accepted wherever the picture is.

    Raises:
        the same errors as `decode_image`.
    """
    with _opened(encoded) as (picture, orientation):
        upright = _decode_upright(picture, orientation, draft_size=(max_side_px, max_side_px))
    scale = min(1.0, max_side_px / max(upright.size))
    width, height = (max(MIN_SIDE_PX, round(side * scale)) for side in upright.size)
    plain = _over_white(upright.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=2.0))
    plain.info.clear()
    jpeg = io.BytesIO()
    plain.save(jpeg, "JPEG", quality=JPEG_QUALITY)
    return jpeg.getvalue()


def decode_upright(encoded: bytes) -> Image.Image:
    """Open a picture, turn it upright, and return all of it at its full size, in RGB: to change whole pictures.

    Raises:
        the same errors as `decode_image`.
    """
    with _opened(encoded) as (picture, orientation):
        return _over_white(_decode_upright(picture, orientation, draft_size=picture.size))


@contextmanager
def open_picture(encoded: bytes) -> Iterator[Image.Image]:
    """Open a picture by reading only its header, and check the limits; errors of Pillow in the block are translated.

    The picture is as stored, not turned upright, and has no metadata.

    Raises:
        the same errors as `decode_image`.
    """
    with _opened(encoded) as (picture, _):
        yield picture


@contextmanager
def _opened(encoded: bytes) -> Iterator[tuple[ImageFile, int]]:
    """Open a picture by reading only its header; also return its EXIF orientation, 1..8."""
    content_type = sniff_content_type(encoded)
    if content_type is None:
        raise UnsupportedPictureError("The file is not a JPEG, PNG or WebP picture. Please send one of these.")
    if content_type == "image/webp":
        _check_size(*_webp_canvas(encoded))  # Pillow's WebP opener allocates the canvas at once
    if content_type == "image/jpeg":
        _check_scans(encoded)
    bare, orientation = strip_metadata(encoded, content_type)
    with _translated_errors(), _OPENERS[content_type](io.BytesIO(bare)) as picture:
        _check_size(*picture.size)
        picture.decodermaxblock = max(len(bare), 1)  # decode at once: in blocks of 64 kB the decoder restarts often
        yield picture, orientation


def _decode_upright(picture: ImageFile, orientation: int, draft_size: tuple[int, int]) -> Image.Image:
    """Decode the opened picture and turn it upright: RGB, or RGBA if it may have transparent pixels."""
    picture.draft("RGB", draft_size)
    decoded = _eight_bits(picture)
    decoded = decoded.convert("RGBA" if decoded.has_transparency_data else "RGB")
    return decoded.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else decoded


def _centre_square(picture: Image.Image, size: int) -> Image.Image:
    """Scale the largest square in the middle to `size`; crop instead if it is only slightly larger.

    A HAM10000 picture has 225 px after decoding at half scale, and the model 224: scaling would blur it, and take a
    sixth of the decoding time.
    """
    width, height = picture.size
    if size >= MIN_CROP_SIDE_PX and 0 <= min(width, height) - size <= size * MAX_CROP_SHARE:
        left, top = (width - size) // 2, (height - size) // 2
        return picture.crop((left, top, left + size, top + size))
    return ImageOps.fit(picture, (size, size), Image.Resampling.BILINEAR)


def _eight_bits(picture: ImageFile) -> Image.Image:
    """Convert 16-bit grey of a PNG, and its transparent grey or colour of any depth, to 8 bits.

    Pillow does neither: it clips 16-bit grey at 255, and compares 8-bit pixels with the unscaled number in the file.
    """
    key = picture.info.get("transparency")
    rawmode = picture.tile[0].args if picture.tile else None
    if rawmode == "L;2" and key is not None:
        picture.info["transparency"] = key * 85
    elif rawmode == "L;4" and key is not None:
        picture.info["transparency"] = key * 17
    elif rawmode == "RGB;16B" and key is not None:
        picture.info["transparency"] = tuple(channel >> 8 for channel in key)
    elif rawmode == "I;16B":
        grey = picture.point(lambda value: value * (1 / 256)).convert("L")
        if key is not None:
            grey.info["transparency"] = key >> 8
        return grey
    return picture


def _over_white(picture: Image.Image) -> Image.Image:
    """Put transparent pixels on white, and return RGB."""
    if picture.mode != "RGBA":
        return picture
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise TooManyPixelsError(
            f"The picture has {width} x {height} pixels; at most {MAX_PIXELS // 1_000_000} megapixels are allowed. "
            "Please send a smaller copy."
        )
    if min(width, height) < MIN_SIDE_PX:
        raise TooFewPixelsError(
            f"The picture has {width} x {height} pixels; each side must have at least {MIN_SIDE_PX}. "
            "Please send the original."
        )


def _check_scans(encoded: bytes) -> None:
    components = scans = 0
    for segment in jpeg_segments(encoded):
        if segment.marker in SEQUENTIAL_FRAMES:
            components = _byte(encoded, segment.body + 5)
        if segment.marker != START_OF_SCAN:
            continue
        if scans == 0 and components and _byte(encoded, segment.body) == components:
            return  # this scan has all components: libjpeg refuses a second one, so the pixels need no search
        scans += 1
        if scans > MAX_SCANS:
            raise UnreadableImageError(
                f"The picture is stored in more than {MAX_SCANS} scans, which no camera does. Please save it again."
            )


def _byte(encoded: bytes, at: int) -> int:
    return encoded[at] if at < len(encoded) else 0


def _webp_canvas(encoded: bytes) -> tuple[int, int]:
    """Read width and height from a WebP header (RFC 9649, sections 2.5 to 2.7)."""
    chunk, body = encoded[12:16], encoded[20:30]
    if len(body) == 10 and chunk == b"VP8X":
        return 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
    if len(body) == 10 and chunk == b"VP8L":
        packed = int.from_bytes(body[1:5], "little")
        return 1 + (packed & 0x3FFF), 1 + (packed >> 14 & 0x3FFF)
    if len(body) == 10 and chunk == b"VP8 ":
        width, height = struct.unpack("<HH", body[6:10])
        return width & 0x3FFF, height & 0x3FFF
    raise UnreadableImageError(_UNREADABLE)


_UNREADABLE: Final = "The picture is damaged or incomplete and cannot be read. Please send it again or send another."


@contextmanager
def _translated_errors() -> Iterator[None]:
    """Translate every error of Pillow, and pass on AnalyzerErrors."""
    try:
        yield
    except AnalyzerError:
        raise
    except Exception as error:  # Pillow's parsers raise errors of any type for a damaged file
        raise UnreadableImageError(_UNREADABLE) from error
