"""What is done to an uploaded picture before it is sent and shown."""

import io

import pytest
from PIL import Image

from contract.api import MAX_BODY_BYTES
from contract.errors import TooFewPixelsError, UnreadableImageError, UnsupportedPictureError
from webapp.errors import PageBusyError
from webapp.pictures import SENT_SIDES_PX, SHOWN_SIDE_PX, PictureDesk


@pytest.fixture
def desk() -> PictureDesk:
    return PictureDesk()


def opened(encoded: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(encoded))
    picture.load()
    return picture


def test_a_small_picture_is_sent_byte_for_byte(desk, real_picture) -> None:
    assert desk.admit(real_picture) is real_picture
    preview = desk.begin_preview(real_picture)()
    assert opened(preview.jpeg).size == (preview.width, preview.height) == opened(real_picture).size


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_large_picture_is_shrunk_until_the_api_takes_it(desk, picture, kind: str) -> None:
    large = picture(2600, 1900, kind=kind, noise=True)
    assert len(large) > MAX_BODY_BYTES
    sendable = desk.admit(large)
    assert len(sendable) <= MAX_BODY_BYTES
    assert max(opened(sendable).size) == SENT_SIDES_PX[0]
    preview = desk.begin_preview(sendable)()
    assert max(preview.width, preview.height) == SHOWN_SIDE_PX


def test_the_preview_is_upright_and_says_nothing_of_where_it_was_taken(desk, picture) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying on its side
    exif[0x010F] = "SecretCamera"
    exif.get_ifd(0x8825)[29] = "2024:02:03"  # GPS date
    preview = desk.begin_preview(picture(600, 450, exif=exif))()
    assert (preview.width, preview.height) == (450, 600)
    shown = opened(preview.jpeg)
    assert dict(shown.getexif()) == {}
    assert "exif" not in shown.info
    assert b"SecretCamera" not in preview.jpeg
    assert b"2024:02:03" not in preview.jpeg


@pytest.mark.parametrize(
    ("encoded", "error"),
    [
        (b"GIF89a, but not a picture that is taken", UnsupportedPictureError),
        (b"\xff\xd8\xff and no more", UnreadableImageError),
    ],
)
def test_what_is_no_picture_is_refused(desk, encoded: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        desk.admit(encoded)


def test_a_picture_that_breaks_off_is_refused_when_it_is_drawn(desk, picture) -> None:
    half = picture(noise=True)[:100_000]
    drawn = desk.begin_preview(desk.admit(half))
    with pytest.raises(UnreadableImageError):
        drawn()


def test_a_refused_picture_does_not_hold_up_the_next(desk, picture) -> None:
    with pytest.raises(TooFewPixelsError):
        desk.admit(picture(8, 8))
    assert desk.begin_preview(picture())().width == 600


def test_who_would_wait_too_long_is_told_to_come_back(picture) -> None:
    desk = PictureDesk(longest_queue_s=0.01)
    desk.begin_preview(picture(2600, 1900, kind="PNG", noise=True))  # a tenth of a second and more
    with pytest.raises(PageBusyError) as refused:
        desk.admit(picture())
    assert (refused.value.status, refused.value.retry_after_s) == (503, 5)
