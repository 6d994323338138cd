"""The only picture decoder: from encoded bytes to upright sRGB pixels, with limits against hostile input.

Training, the function and the page all open pictures here, so the model sees the same pixels in training and serving.
Importing this loads Pillow but not numpy, which only `decode_image` needs. `contract/picture/` reads what Pillow does
not, or not safely.
"""

import io
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from PIL import Image
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from contract.errors import AnalyzerError, UnreadableImageError, UnsupportedPictureError
from contract.exposure import correct_exposure, measure_brightness
from contract.field_of_view import Box, fill_outside, find_field_of_view
from contract.heif.sniff import HEIF_CONTENT_TYPES, sniff_heif
from contract.known_mistakes import known_mistake
from contract.picture.colour import profile_space, to_srgb
from contract.picture.jpeg import END_OF_IMAGE, unterminated_pixels
from contract.picture.limits import (
    MIN_SIDE_PX,
    PNG_BYTES_PER_PX,
    UNREADABLE,
    WEBP_BYTES_PER_PX,
    check_jpeg,
    check_size,
    webp_canvas,
)
from contract.picture.metadata import strip_metadata
from contract.picture.reduction import middle_of, reduce_over_white, scale_transparency

if TYPE_CHECKING:
    import numpy as np

# A cache of decoded pictures is reused only with the same version. Increase the version in the commit that changes the
# pixels that `decode_image` returns for any file; tests/contract/test_decoder_version.py compares them.
DECODER_VERSION: Final = 3

CONTENT_TYPES: Final = ("image/jpeg", "image/png", "image/webp", *HEIF_CONTENT_TYPES)
JPEG_QUALITY: Final = 90
# A picture may first be reduced by whole factors, which is fast, to this many times the wanted side; then it is scaled
# with an antialiasing filter. See docs/decisions/pixels.md.
REDUCED_SIDES: Final = 2
_UPRIGHT: Final = {  # EXIF orientation -> the operation that turns the stored pixels upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_RIGHT_TO_LEFT: Final = frozenset({2, 3, 6, 7})  # turning brings the last column or row that is stored to the left ...
_BOTTOM_TO_TOP: Final = frozenset({3, 4, 7, 8})  # ... or to the top


def _open_heif(encoded: io.BytesIO) -> ImageFile:
    from contract.heif.decoder import HeifImageFile  # only when a HEIC comes, which is seldom

    return HeifImageFile(encoded)


# Pillow's classes instead of Image.open(): that imports every plugin to find WebP's, treats a JPEG with two pictures as
# another format, and warns about large pictures.
_OPENERS: Final[dict[str, Callable[[io.BytesIO], ImageFile]]] = {
    "image/jpeg": JpegImageFile,
    "image/png": PngImageFile,
    "image/webp": WebPImageFile,
    "image/heic": _open_heif,
    "image/heif": _open_heif,
}


@dataclass(frozen=True, eq=False)
class DecodedImage:
    """A square of pixels, and the picture that it was cut from."""

    pixels: "np.ndarray"  # sRGB in 0..255: uint8, shape (size, size, 3)
    width: int  # of the whole upright picture, in pixels
    height: int
    square: Box  # the part of the whole upright picture that `pixels` show, in its pixels
    brightness: float  # of the square as the camera made it, 0..255; see contract/exposure.py


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
    return sniff_heif(encoded)


def decode_image(encoded: bytes, size: int) -> DecodedImage:
    """Decode a picture to the pixels that the model sees: the square of `decode_square`, brightened if it is dark.

    Raises:
        the same errors as `decode_square`.
    """
    decoded = decode_square(encoded, size)
    return replace(decoded, pixels=correct_exposure(decoded.pixels, decoded.brightness))


def decode_square(encoded: bytes, size: int) -> DecodedImage:
    """Open a picture, turn it upright, and scale its square to the input size of the model.

    The square is the largest one in the middle; a dark or white surround, as of a dermoscope, is left out
    (contract/field_of_view.py). Of an animation the first frame is used; transparent pixels are put on white; colours
    with a profile are converted to sRGB; of the other metadata only the orientation is read. The result depends on the
    picture and hardly on its format and its size in pixels: docs/inference.md has the bounds.

    Args:
        encoded: the bytes of a JPEG, PNG, WebP or HEIC file.
        size: the side of the square to return, in pixels.

    Raises:
        UnsupportedPictureError: the bytes are not the start of a JPEG, PNG, WebP or HEIC, or the HEIC is of a kind that
            cannot be decoded here.
        TooManyPixelsError: the header declares more than MAX_PIXELS, or the format needs more than MAX_DECODED_BYTES;
            nothing was decoded.
        TooFewPixelsError: a side is shorter than MIN_SIDE_PX.
        UnreadableImageError: the picture is truncated or damaged, or a JPEG with more than MAX_SCANS scans or of a kind
            that the decoder does not know.
    """
    import numpy as np

    with _opened(encoded) as (picture, plan):
        width, height = picture.size
        upright = _decode_upright(picture, plan, (size, size), middle=True)
    if plan.turned:
        width, height = height, width
    view = find_field_of_view(upright.picture, upright.box)
    square = to_srgb(upright.picture.resize((size, size), Image.Resampling.BILINEAR, box=view.square), plan.profile)
    pixels = fill_outside(np.asarray(square), view)
    return DecodedImage(
        pixels=pixels,
        width=width,
        height=height,
        square=_in_whole_picture(view.square, upright.box, width, height),
        brightness=measure_brightness(pixels),
    )


def to_plain_jpeg(encoded: bytes, max_side_px: int) -> bytes:
    """Re-encode a picture as an upright sRGB JPEG without any metadata, its longer side at most `max_side_px`.

    The shorter side stays at MIN_SIDE_PX or more, so that the result is accepted wherever the picture is.

    Raises:
        the same errors as `decode_image`.
    """
    plain = decode_upright(encoded, max_side_px)
    plain.info.clear()
    jpeg = io.BytesIO()
    plain.save(jpeg, "JPEG", quality=JPEG_QUALITY)
    return jpeg.getvalue()


def decode_upright(encoded: bytes, max_side_px: float = math.inf) -> Image.Image:
    """Open a picture, turn it upright, and return all of it in sRGB, at its full size or smaller.

    Args:
        encoded: the bytes of the file.
        max_side_px: of the longer side. The shorter side stays at MIN_SIDE_PX or more.

    Raises:
        the same errors as `decode_image`.
    """
    with _opened(encoded) as (picture, plan):
        scale = min(1.0, max_side_px / max(picture.size))
        width, height = (max(MIN_SIDE_PX, round(side * scale)) for side in picture.size)
        upright = _decode_upright(picture, plan, (width, height), middle=False)
    target = (height, width) if plan.turned else (width, height)
    return to_srgb(upright.picture.resize(target, Image.Resampling.BICUBIC, box=upright.box), plan.profile)


@contextmanager
def open_picture(encoded: bytes) -> Iterator[Image.Image]:
    """Open a picture by reading only its header, and check the limits; errors of Pillow in the block are translated.

    The picture is as stored, not turned upright, and has no metadata.

    Raises:
        the same errors as `decode_image`.
    """
    with _opened(encoded) as (picture, _):
        yield picture


class _Upright(NamedTuple):
    """A decoded picture, upright and RGB."""

    picture: Image.Image
    box: Box  # its edges; some lie inside the outermost pixels


class _Plan(NamedTuple):
    """How an opened picture is to be decoded."""

    encoded: bytes  # without metadata
    content_type: str
    orientation: int  # as in EXIF, 1..8
    profile: bytes  # an ICC profile, unchecked; empty if there is none
    can_draft: bool  # whether the decoder can reduce the picture

    @property
    def turned(self) -> bool:
        """Whether width and height change places."""
        return self.orientation >= 5


@contextmanager
def _opened(encoded: bytes) -> Iterator[tuple[ImageFile, _Plan]]:
    """Open a picture by reading only its header."""
    if not encoded:
        raise UnsupportedPictureError("The file is empty. Please send a JPEG, PNG, WebP or HEIC picture.")
    content_type = sniff_content_type(encoded)
    if content_type is None:
        raise UnsupportedPictureError(
            known_mistake(encoded) or "The file is not a JPEG, PNG, WebP or HEIC picture. Please send one of these."
        )
    can_draft = content_type in HEIF_CONTENT_TYPES
    if content_type == "image/webp":
        # Pillow's WebP opener allocates the canvas at once
        check_size(*webp_canvas(encoded), WEBP_BYTES_PER_PX, "WebP")
    if content_type == "image/jpeg":
        can_draft = check_jpeg(encoded)
    bare, orientation, profile = strip_metadata(encoded, content_type)
    with _translated_errors(), _open_bare(bare, content_type) as picture:
        check_size(*picture.size, PNG_BYTES_PER_PX)
        yield (
            picture,
            _Plan(bare, content_type, orientation, profile or picture.info.get("icc_profile", b""), can_draft),
        )


def _open_bare(bare: bytes, content_type: str) -> ImageFile:
    picture = _OPENERS[content_type](io.BytesIO(bare))
    picture.decodermaxblock = max(len(bare), 1)  # decode at once: in blocks of 64 kB the decoder restarts often
    return picture


def _decode_upright(picture: ImageFile, plan: _Plan, target: tuple[int, int], *, middle: bool) -> _Upright:
    """Decode the opened picture: upright, over white, RGB in the colours of its profile.

    Args:
        picture: as opened.
        plan: as opened.
        target: the size that it will be scaled to, before it is turned; the result has at least REDUCED_SIDES times as
            many pixels on each side, or all that the picture has.
        middle: whether only the middle of a long strip is wanted.
    """
    wanted = (REDUCED_SIDES * target[0], REDUCED_SIDES * target[1])
    decoded, edges = _decode(picture, plan, wanted)
    left, top, right, bottom = middle_of(decoded) if middle else (0, 0, *decoded.size)
    across, down = (max(1, side // enough) for side, enough in zip(decoded.size, wanted, strict=True))
    if middle:
        across = down = min(across, down)
    keep_ink = profile_space(plan.profile) == "CMYK"
    reduced = reduce_over_white(decoded, (across, down), (left, top, right, bottom), keep_ink=keep_ink)
    if reduced.mode == "CMYK":
        reduced = to_srgb(reduced, plan.profile)
    width, height = (min(right, edges[0]) - left) / across, (min(bottom, edges[1]) - top) / down
    if plan.orientation in _UPRIGHT:
        reduced = reduced.transpose(_UPRIGHT[plan.orientation])
    if plan.turned:
        width, height = height, width
    x = reduced.width - width if plan.orientation in _RIGHT_TO_LEFT else 0.0
    y = reduced.height - height if plan.orientation in _BOTTOM_TO_TOP else 0.0
    return _Upright(reduced, Box(x, y, x + width, y + height))


def _decode(picture: ImageFile, plan: _Plan, wanted: tuple[int, int]) -> tuple[ImageFile, tuple[float, float]]:
    """Decode all pixels; a JPEG at the smallest scale of its DCT, 1/1 to 1/8, that still has `wanted` pixels.

    Also return the width and height at that scale, which need not be whole: the last pixels can be partial.
    """
    edges = _draft(picture, plan, wanted)
    scale_transparency(picture)
    try:
        picture.load()
    except OSError:
        mended = _decode_unterminated(plan, wanted) if plan.content_type == "image/jpeg" else None
        if mended is None:
            raise
        return mended, edges
    return picture, edges


def _draft(picture: ImageFile, plan: _Plan, wanted: tuple[int, int]) -> tuple[float, float]:
    drafted = picture.draft("RGB", wanted) if plan.can_draft else None
    return drafted[1][2:] if drafted else picture.size


def _decode_unterminated(plan: _Plan, wanted: tuple[int, int]) -> ImageFile | None:
    """Decode a JPEG without an end-of-image marker if all of its pixels are there; else return None.

    It is decoded with different bytes in the place of the marker. If any pixel were missing, the decoder would take
    these bytes for pixels, and the two results would differ.
    """
    pixels = unterminated_pixels(plan.encoded)
    if pixels is None:
        return None
    decoded = []
    for padding in (b"", _PADDING):
        picture = _open_bare(pixels + padding + END_OF_IMAGE, plan.content_type)
        _draft(picture, plan, wanted)
        picture.load()
        decoded.append(picture)
    return decoded[0] if decoded[0].tobytes() == decoded[1].tobytes() else None


_PADDING: Final = b"\xb5\x4a\x93\x6c" * 16  # begins with a 1, whereas the decoder fills what is missing with 0


def _in_whole_picture(square: Box, box: Box, width: int, height: int) -> Box:
    """Convert a square of the decoded picture to pixels of the whole picture, which has the same middle."""
    scale = min(width, height) / min(box.right - box.left, box.bottom - box.top)
    x, y = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    left, top = width / 2 + (square.left - x) * scale, height / 2 + (square.top - y) * scale
    side = (square.right - square.left) * scale
    return Box(left, top, left + side, top + side)


@contextmanager
def _translated_errors() -> Iterator[None]:
    """Translate every error of Pillow, and pass on AnalyzerErrors."""
    try:
        yield
    except AnalyzerError:
        raise
    except Exception as error:  # Pillow's parsers raise errors of any type for a damaged file
        raise UnreadableImageError(UNREADABLE) from error
