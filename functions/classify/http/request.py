"""From an API Gateway event to the picture that it carries, and everything that can be wrong on the way."""

import binascii
import io
from collections.abc import Mapping
from typing import Any

import multipart
import pybase64

from contract.api import MAX_BODY_BYTES
from contract.errors import MalformedRequestError, PayloadTooLargeError

PICTURE_FIELD = "image"
_MAX_PARTS = 16


def picture_of(event: Mapping[str, Any]) -> bytes:
    """Return the encoded picture in an event: its whole body, or the field `image` of a form.

    What the bytes are is told from the bytes by the decoder; a Content-Type matters only to find them.

    Raises:
        MalformedRequestError: there is no body, it is not base64 where it says so, or the form has no picture.
        PayloadTooLargeError: the body has more than MAX_BODY_BYTES.
    """
    body = _body_of(event)
    content_type = _header(event, "content-type")
    if multipart.parse_options_header(content_type)[0] == "multipart/form-data":
        body = _picture_field(body, content_type)
    if not body:
        raise MalformedRequestError("The request has no picture in its body.")
    return body


def wants_explanation(event: Mapping[str, Any]) -> bool:
    """Read the query parameter `explain`, which is true unless it says false.

    Raises:
        MalformedRequestError: it is neither true nor false.
    """
    explain = (event.get("queryStringParameters") or {}).get("explain", "true")
    if explain not in ("true", "false"):
        raise MalformedRequestError("The query parameter explain must be true or false.")
    return bool(explain == "true")


def _body_of(event: Mapping[str, Any]) -> bytes:
    text = event.get("body") or ""
    if len(text) > MAX_BODY_BYTES * 2:  # spare the decoding of what is too large in any case
        raise _too_large()
    try:
        body = pybase64.b64decode(text, validate=True) if event.get("isBase64Encoded") else text.encode()
    except (binascii.Error, ValueError) as error:
        raise MalformedRequestError("The body is not valid base64.") from error
    if len(body) > MAX_BODY_BYTES:
        raise _too_large()
    return body


def _too_large() -> PayloadTooLargeError:
    return PayloadTooLargeError(f"The picture is over {MAX_BODY_BYTES / 1e6:.1f} MB; send a smaller one.")


def _picture_field(body: bytes, content_type: str) -> bytes:
    boundary = multipart.parse_options_header(content_type)[1].get("boundary", "")
    if not boundary:
        raise MalformedRequestError("The form names no boundary in its Content-Type.")
    try:
        parser = multipart.MultipartParser(
            io.BytesIO(body), boundary, part_limit=_MAX_PARTS, spool_limit=MAX_BODY_BYTES, memory_limit=MAX_BODY_BYTES
        )
        for part in parser:
            if part.name == PICTURE_FIELD:
                return bytes(part.raw)
    except (multipart.MultipartError, UnicodeError, LookupError) as error:  # the last two: an odd charset
        raise MalformedRequestError("The form in the body cannot be read.") from error
    raise MalformedRequestError(f"The form has no field named {PICTURE_FIELD}.")


def _header(event: Mapping[str, Any], name: str) -> str:
    for key, value in (event.get("headers") or {}).items():
        if key.lower() == name:
            return str(value)
    return ""
