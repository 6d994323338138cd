"""What is done to an uploaded picture before it is sent and shown: checked, shrunk, stripped of all but its pixels."""

import base64
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, TypeVar

from contract.api import MAX_BODY_BYTES
from contract.image import open_picture, to_plain_jpeg
from webapp.errors import PageBusyError

# Of a picture that is too large for the API, far above the side that the model sees. Random noise, which hardly
# compresses, comes to 3.8 MB at the first; the second leaves nothing to chance.
SENT_SIDES_PX: Final = (2048, 1024)
SHOWN_SIDE_PX: Final = 1024
LONGEST_QUEUE_S: Final = 10.0

Made = TypeVar("Made")


@dataclass(frozen=True, eq=False)
class Preview:
    """An uploaded picture as it is shown."""

    jpeg: bytes  # upright and without any metadata, its longer side at most SHOWN_SIDE_PX
    width: int  # in pixels
    height: int


class PictureDesk:
    """Opens uploaded pictures one after the other: a transparent WebP of 50 megapixels takes 1 GB of memory for 2 s."""

    def __init__(self, longest_queue_s: float = LONGEST_QUEUE_S) -> None:
        self._decoder = ThreadPoolExecutor(max_workers=1, thread_name_prefix="decoder")
        self._longest_queue_s = longest_queue_s

    def admit(self, encoded: bytes) -> bytes:
        """Check an uploaded file by its header, and return what to send to the API: at most MAX_BODY_BYTES.

        A picture that is small enough is returned as it is, a larger one as a JPEG.

        Raises:
            PageBusyError: too many others are waiting to be opened.
            UnsupportedPictureError, TooManyPixelsError, TooFewPixelsError, UnreadableImageError: as the decoder's.
        """
        return self._wait_for(self._decoder.submit(_sendable, encoded))

    def begin_preview(self, encoded: bytes) -> Callable[[], Preview]:
        """Start to draw what is shown of a picture, and return what waits for it and raises as `admit` does."""
        drawing = self._decoder.submit(_preview, encoded)
        return lambda: self._wait_for(drawing)

    def _wait_for(self, made: Future[Made]) -> Made:
        try:
            return made.result(timeout=self._longest_queue_s)
        except TimeoutError as error:
            made.cancel()
            raise PageBusyError("Many pictures are being opened just now. Please try again shortly.") from error


def data_url(content_type: str, encoded: bytes) -> str:
    """Write a picture into an address of its own, so that a page can show it and nothing needs to keep it."""
    return f"data:{content_type};base64,{base64.b64encode(encoded).decode('ascii')}"


def _sendable(encoded: bytes) -> bytes:
    with open_picture(encoded):  # its header alone
        sendable = encoded
    for side_px in SENT_SIDES_PX:
        if len(sendable) <= MAX_BODY_BYTES:
            break
        sendable = to_plain_jpeg(encoded, side_px)
    return sendable


def _preview(encoded: bytes) -> Preview:
    jpeg = to_plain_jpeg(encoded, SHOWN_SIDE_PX)
    with open_picture(jpeg) as picture:
        return Preview(jpeg, *picture.size)
