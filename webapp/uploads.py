"""Receives the form of the page: the CSRF token and the picture. Everything stays in memory."""

from dataclasses import dataclass
from typing import Final

from flask import Request
from werkzeug.exceptions import RequestEntityTooLarge

from contract.errors import MalformedRequestError, PayloadTooLargeError
from contract.form import Part, is_form, read_form
from webapp.errors import EmptyFileError, FormUnreadableError, NoPictureChosenError, SeveralPicturesError

TOKEN_FIELD: Final = "token"  # noqa: S105 - the name of a field
PICTURE_FIELD: Final = "image"

_DISCARDED_BYTES: Final = 100_000_000  # of a form that is too large
_CHUNK_BYTES: Final = 1_000_000


@dataclass(frozen=True)
class Upload:
    """A form as it was received: nothing about it is checked yet."""

    parts: list[Part]

    @property
    def token(self) -> str:
        """The CSRF token; empty if there is none."""
        return next((part.content.decode(errors="replace") for part in self.parts if part.name == TOKEN_FIELD), "")

    @property
    def picture(self) -> bytes:
        """The encoded picture.

        Raises:
            NoPictureChosenError: no file was chosen.
            EmptyFileError: the chosen file has no bytes.
            SeveralPicturesError: more than one file was chosen.
        """
        fields = [part for part in self.parts if part.name == PICTURE_FIELD]
        pictures = [part.content for part in fields if part.content]
        if len(pictures) > 1:
            raise SeveralPicturesError("Several pictures were sent. Please choose one, and send the others after it.")
        if pictures:
            return pictures[0]
        if any(part.is_file for part in fields):
            raise EmptyFileError(
                "The chosen file has no bytes. Please choose another one; of a folder, choose a picture in it."
            )
        raise NoPictureChosenError("Please choose a picture first, then press the button.")


def receive_upload(request: Request, max_bytes: int) -> Upload:
    """Read the form of a request.

    Raises:
        PayloadTooLargeError: the form is larger than the app's limit, `max_bytes`.
        FormUnreadableError: the body is not a complete form.
    """
    try:
        # Not request.get_data(): it cuts off a body of unknown length at the limit, instead of refusing it.
        body = b"".join(iter(lambda: request.stream.read(_CHUNK_BYTES), b""))
    except RequestEntityTooLarge as error:
        _discard(request)
        raise PayloadTooLargeError(
            f"The picture is too large. At most {max_bytes / 1_000_000:g} MB are allowed: please send a smaller one."
        ) from error
    content_type = request.headers.get("Content-Type", "")
    try:
        if not is_form(content_type):
            raise MalformedRequestError("The body is not a form with files.")
        return Upload(read_form(body, content_type))
    except MalformedRequestError as error:
        raise FormUnreadableError(
            "The form did not arrive complete. Please choose the picture here, and send it again."
        ) from error


def _discard(request: Request) -> None:
    """Read the rest of a form that is too large: a browser shows no answer that comes while it is still sending."""
    left = _DISCARDED_BYTES
    while left > 0 and (chunk := request.environ["wsgi.input"].read(_CHUNK_BYTES)):
        left -= len(chunk)
