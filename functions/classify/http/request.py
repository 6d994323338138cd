"""Reads the picture and the query from an event of API Gateway."""

import binascii
from collections.abc import Mapping
from typing import Any

import pybase64

from contract.api import MAX_BODY_BYTES
from contract.errors import MalformedRequestError, PayloadTooLargeError
from contract.form import is_form, read_form
from contract.image import sniff_content_type

PICTURE_FIELD = "image"
_LONGEST_TEXT_BYTES = 4096  # of a path that was sent in place of the file


def read_picture(event: Mapping[str, Any]) -> bytes:
    """Return the encoded picture of an event: its whole body, or the field `image` of a form.

    The decoder finds the format from the bytes; the Content-Type only says whether the body is a form.

    Args:
        event: as `functions.classify.http.event.read_event` returns it.

    Raises:
        MalformedRequestError: there is no body, it is not valid base64, or the form does not have one picture.
        PayloadTooLargeError: the body has more than MAX_BODY_BYTES.
    """
    body = _read_body(event)
    content_type = event["headers"].get("content-type", "")
    if not body:
        raise MalformedRequestError("The request has no picture in its body.")
    return _picture_of_form(body, content_type) if is_form(content_type) else body


def wants_explanation(event: Mapping[str, Any]) -> bool:
    """Read the query parameter `explain`; the default is true.

    Raises:
        MalformedRequestError: it is neither true nor false.
    """
    explain = event["queryStringParameters"].get("explain", "true")
    if explain not in ("true", "false"):
        raise MalformedRequestError("The query parameter explain must be true or false.")
    return bool(explain == "true")


def _read_body(event: Mapping[str, Any]) -> bytes:
    text = event["body"]
    if len(text) > MAX_BODY_BYTES * 2:  # too large in any case: do not decode it
        raise _too_large()
    try:
        body = pybase64.b64decode(text, validate=True) if event["isBase64Encoded"] else text.encode()
    except (binascii.Error, ValueError) as error:
        raise MalformedRequestError("The body is not valid base64.") from error
    if len(body) > MAX_BODY_BYTES:
        raise _too_large()
    return body


def _too_large() -> PayloadTooLargeError:
    return PayloadTooLargeError(f"The picture is over {MAX_BODY_BYTES / 1e6:.1f} MB. Send a smaller one.")


def _picture_of_form(body: bytes, content_type: str) -> bytes:
    fields = [part for part in read_form(body, content_type) if part.name == PICTURE_FIELD]
    if not fields:
        raise MalformedRequestError(f"The form has no field named {PICTURE_FIELD}.")
    pictures = [part for part in fields if part.content]
    if not pictures:
        raise MalformedRequestError(f"The field {PICTURE_FIELD} is empty: the file has no bytes. Send another file.")
    if len(pictures) > 1:
        raise MalformedRequestError(
            f"The form has {len(pictures)} pictures in the field {PICTURE_FIELD}. Send each in its own request."
        )
    if not pictures[0].is_file and _is_short_text(pictures[0].content):
        raise MalformedRequestError(
            f"The field {PICTURE_FIELD} is text, not a file. With curl, write -F {PICTURE_FIELD}=@picture.jpg."
        )
    return pictures[0].content


def _is_short_text(content: bytes) -> bool:
    if len(content) > _LONGEST_TEXT_BYTES or sniff_content_type(content) is not None:
        return False
    try:
        return content.decode().isprintable()
    except UnicodeDecodeError:
        return False
