"""An uploaded picture is checked, shrunk and freed of metadata before it is sent and shown."""

import io

import pytest
from PIL import Image

from contract.api import MAX_BODY_BYTES
from contract.errors import TooFewPixelsError, UnreadableImageError, UnsupportedPictureError
from tests.heic_files import encode_heic
from tests.odd_pictures import plain_picture
from tests.webapp.conftest import MakePicture
from webapp.errors import PageBusyError
from webapp.pictures import SENT_SIDES_PX, SHOWN_SIDE_PX, PictureDecoder


@pytest.fixture
def decoder() -> PictureDecoder:
    return PictureDecoder()


def opened(encoded: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(encoded))
    picture.load()
    return picture


def test_a_small_picture_is_sent_byte_for_byte(decoder: PictureDecoder, real_picture: bytes) -> None:
    assert decoder.prepare(real_picture) is real_picture
    preview = decoder.start_preview(real_picture)()
    assert opened(preview.jpeg).size == (preview.width, preview.height) == opened(real_picture).size


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_large_picture_is_shrunk_until_the_api_takes_it(
    decoder: PictureDecoder, picture: MakePicture, kind: str
) -> None:
    large = picture(2600, 1900, kind=kind, noise=True)
    assert len(large) > MAX_BODY_BYTES
    sendable = decoder.prepare(large)
    assert len(sendable) <= MAX_BODY_BYTES
    assert max(opened(sendable).size) == SENT_SIDES_PX[0]
    preview = decoder.start_preview(sendable)()
    assert max(preview.width, preview.height) == SHOWN_SIDE_PX


def test_the_preview_is_upright_and_has_no_metadata(decoder: PictureDecoder, picture: MakePicture) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying on its side
    exif[0x010F] = "SecretCamera"
    exif.get_ifd(0x8825)[29] = "2024:02:03"  # GPS date
    preview = decoder.start_preview(picture(600, 450, exif=exif))()
    assert (preview.width, preview.height) == (450, 600)
    shown = opened(preview.jpeg)
    assert dict(shown.getexif()) == {}
    assert "exif" not in shown.info
    assert b"SecretCamera" not in preview.jpeg
    assert b"2024:02:03" not in preview.jpeg


def test_a_heic_is_sent_as_it_is_and_shown_as_jpeg(decoder: PictureDecoder) -> None:
    """Browsers other than Safari cannot show it."""
    exif = Image.Exif()
    exif[0x0112] = 6
    heic = encode_heic(plain_picture(size=(600, 450)), exif=exif)
    assert decoder.prepare(heic) is heic
    preview = decoder.start_preview(heic)()
    assert opened(preview.jpeg).format == "JPEG"
    assert opened(preview.jpeg).size == (preview.width, preview.height) == (450, 600)


@pytest.mark.parametrize(
    ("encoded", "error"),
    [
        (b"GIF89a, but not a picture that is taken", UnsupportedPictureError),
        (b"\xff\xd8\xff and no more", UnreadableImageError),
    ],
)
def test_a_file_that_is_not_a_picture_is_refused(
    decoder: PictureDecoder, encoded: bytes, error: type[Exception]
) -> None:
    with pytest.raises(error):
        decoder.prepare(encoded)


def test_a_truncated_picture_is_refused_when_the_preview_is_made(decoder: PictureDecoder, picture: MakePicture) -> None:
    half = picture(noise=True)[:100_000]
    wait_for_preview = decoder.start_preview(decoder.prepare(half))
    with pytest.raises(UnreadableImageError):
        wait_for_preview()


def test_a_refused_picture_does_not_block_the_next(decoder: PictureDecoder, picture: MakePicture) -> None:
    with pytest.raises(TooFewPixelsError):
        decoder.prepare(picture(8, 8))
    assert decoder.start_preview(picture())().width == 600


def test_a_picture_that_would_wait_too_long_is_refused(picture: MakePicture) -> None:
    decoder = PictureDecoder(longest_queue_s=0.01)
    decoder.start_preview(picture(2600, 1900, kind="PNG", noise=True))  # a tenth of a second and more
    with pytest.raises(PageBusyError) as refused:
        decoder.prepare(picture())
    assert (refused.value.status, refused.value.retry_after_s) == (503, 5)
