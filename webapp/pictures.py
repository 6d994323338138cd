"""Prepares an uploaded picture to be sent and shown: checks it, shrinks it, removes its metadata."""

import base64
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, TypeVar

from contract.api import MAX_BODY_BYTES
from contract.image import open_picture, to_plain_jpeg
from webapp.errors import PageBusyError

# Longer side of a picture that is too large for the API; the model needs far less. At the first side even random noise,
# which hardly compresses, has 3.8 MB; the second is for safety.
SENT_SIDES_PX: Final = (2048, 1024)
SHOWN_SIDE_PX: Final = 1024
LONGEST_QUEUE_S: Final = 10.0

Result = TypeVar("Result")


@dataclass(frozen=True, eq=False)
class Preview:
    """An uploaded picture as the page shows it."""

    jpeg: bytes  # upright and without any metadata, its longer side at most SHOWN_SIDE_PX
    width: int  # in pixels
    height: int


class PictureDecoder:
    """Decodes one picture at a time: the largest one takes over 300 MB of memory for up to 2 s."""

    def __init__(self, longest_queue_s: float = LONGEST_QUEUE_S) -> None:
        self._decoder = ThreadPoolExecutor(max_workers=1, thread_name_prefix="decoder")
        self._longest_queue_s = longest_queue_s

    def prepare(self, encoded: bytes) -> bytes:
        """Check the header of an uploaded file, and return the bytes for the API: at most MAX_BODY_BYTES.

        A small enough file is returned unchanged, a larger one as a smaller JPEG.

        Raises:
            PageBusyError: too many other pictures are waiting.
            UnsupportedPictureError, TooManyPixelsError, TooFewPixelsError, UnreadableImageError: as in
                `contract.image.decode_image`.
        """
        return self._wait_for(self._decoder.submit(_sendable, encoded))

    def start_preview(self, encoded: bytes) -> Callable[[], Preview]:
        """Start to make the preview; the returned function waits for it, and raises the same errors as `prepare`."""
        preview = self._decoder.submit(_preview, encoded)
        return lambda: self._wait_for(preview)

    def _wait_for(self, future: Future[Result]) -> Result:
        try:
            return future.result(timeout=self._longest_queue_s)
        except TimeoutError as error:
            future.cancel()
            raise PageBusyError("Many pictures are being opened at the moment. Please try again shortly.") from error


def data_url(content_type: str, encoded: bytes) -> str:
    """Encode a picture as a data URL, so that the page can show it without storing it."""
    return f"data:{content_type};base64,{base64.b64encode(encoded).decode('ascii')}"


def _sendable(encoded: bytes) -> bytes:
    with open_picture(encoded):  # reads only the header
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
