"""Reads the picture and the query from an API Gateway event."""

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


def read_picture(event: Mapping[str, Any]) -> bytes:
    """Return the encoded picture of an event: its whole body, or the field `image` of a form.

    The decoder finds the format from the bytes; the Content-Type only says whether the body is a form.

    Raises:
        MalformedRequestError: there is no body, it is not valid base64, or the form has no picture.
        PayloadTooLargeError: the body has more than MAX_BODY_BYTES.
    """
    body = _read_body(event)
    content_type = event["headers"].get("content-type", "")
    if multipart.parse_options_header(content_type)[0] == "multipart/form-data":
        body = _picture_field(body, content_type)
    if not body:
        raise MalformedRequestError("The request has no picture in its body.")
    return body


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


def _picture_field(body: bytes, content_type: str) -> bytes:
    boundary = multipart.parse_options_header(content_type)[1].get("boundary", "")
    if not boundary:
        raise MalformedRequestError("The Content-Type of the form names no boundary.")
    try:
        parser = multipart.MultipartParser(
            io.BytesIO(body), boundary, part_limit=_MAX_PARTS, spool_limit=MAX_BODY_BYTES, memory_limit=MAX_BODY_BYTES
        )
        for part in parser:
            if part.name == PICTURE_FIELD:
                return bytes(part.raw)
    except (multipart.MultipartError, UnicodeError, LookupError) as error:  # the last two: an unknown charset
        raise MalformedRequestError("The form in the body cannot be read.") from error
    raise MalformedRequestError(f"The form has no field named {PICTURE_FIELD}.")
