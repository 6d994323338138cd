"""Reads the fields of a form (multipart/form-data, RFC 7578), for the API and the page.

A file name is never needed, so no byte in it makes a form unreadable. Clients write file names in many ways: UTF-8,
Latin-1, RFC 2231, quotes escaped by a backslash or as %22, or not at all. Parser libraries decode and check every
header of every part, and refuse the whole form if one of them looks wrong.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from contract.errors import MalformedRequestError

MAX_PARTS: Final = 16
MAX_HEADER_BYTES: Final = 65_536  # of one part: a file name can be long

_FORM: Final = re.compile(r"\s*multipart/form-data\s*(?:;|$)", re.IGNORECASE)
_BOUNDARY: Final = re.compile(r';\s*boundary\s*=\s*(?:"([^"]*)"|([^\s;]*))', re.IGNORECASE)
_AFTER_BOUNDARY: Final = re.compile(rb"(--)|[ \t]*\r?\n")
_END_OF_HEADERS: Final = re.compile(rb"(?:\A|\r?\n)\r?\n")
# Up to the next line that can start another header: a file name can have line breaks.
_DISPOSITION: Final = re.compile(
    rb"^content-disposition[ \t]*:(.*?)(?=\r?\n[a-z0-9-]+[ \t]*:|\Z)", re.IGNORECASE | re.DOTALL | re.MULTILINE
)
_PARAMETER: Final = re.compile(
    rb""";\s*([^\s=;"]+)\s*=\s*(?:
        "([^"]*)"(?=\s*(?:;|\Z))     # as browsers write it: a backslash is a backslash
        | "((?:\\.|[^"\\])*)"        # as RFC 822 writes it: a backslash escapes a quote
        | "?([^;"]*)                 # a token, or a quote that is not closed
    )""",
    re.DOTALL | re.VERBOSE,
)


@dataclass(frozen=True)
class Part:
    """One field of a form."""

    name: str
    is_file: bool  # its header has a file name that is not empty: else it is text, or no file was chosen
    content: bytes


def is_form(content_type: str) -> bool:
    """Return whether a Content-Type header says that the body is a form with files."""
    return _FORM.match(content_type) is not None


def read_form(body: bytes, content_type: str) -> list[Part]:
    """Return the parts of a form, in their order. Parts without a name are left out.

    Args:
        body: of the request.
        content_type: the header of the request, which has the boundary between the parts.

    Raises:
        MalformedRequestError: the form has no boundary, is incomplete, or has more than `MAX_PARTS` parts.
    """
    match = _BOUNDARY.search(content_type)
    boundary = (match[1] or match[2] or "") if match else ""
    if not boundary or not boundary.isascii() or not boundary.isprintable():
        raise MalformedRequestError("The Content-Type of the form has no valid boundary. Let the HTTP library set it.")
    found = [_read_part(body, start, end) for start, end in _bounds(body, b"--" + boundary.encode())]
    return [part for part in found if part is not None]


def _bounds(body: bytes, delimiter: bytes) -> Iterator[tuple[int, int]]:
    """Yield where each part starts and ends.

    It searches with `find`, because a regular expression takes much longer for a picture of 20 MB.
    """
    start, count = None, 0
    at = body.find(delimiter)
    while at >= 0:
        line_end = _AFTER_BOUNDARY.match(body, at + len(delimiter))
        if line_end and (at == 0 or body[at - 1 : at] == b"\n"):
            if start is not None:
                count += 1
                if count > MAX_PARTS:
                    raise MalformedRequestError(f"The form has more than {MAX_PARTS} fields. Send only the picture.")
                yield start, at - 2 if body[at - 2 : at] == b"\r\n" else at - 1
            if line_end[1]:
                return
            start = line_end.end()
        at = body.find(delimiter, at + len(delimiter))
    raise MalformedRequestError("The form in the body is incomplete: its last boundary is missing. Send it again.")


def _read_part(body: bytes, start: int, end: int) -> Part | None:
    head = body[start : min(end, start + MAX_HEADER_BYTES)]
    blank_line = _END_OF_HEADERS.search(head)
    disposition = _DISPOSITION.search(head[: blank_line.start()]) if blank_line else None
    if blank_line is None or disposition is None:
        return None
    parameters: dict[bytes, bytes] = {}
    for name, plain, escaped, token in _PARAMETER.findall(disposition[1]):
        parameters.setdefault(name.lower(), plain or escaped or token.strip())  # the first wins
    if b"name" not in parameters:
        return None
    is_file = any(value for name, value in parameters.items() if name.partition(b"*")[0] == b"filename")
    return Part(parameters[b"name"].decode(errors="replace"), is_file, body[start + blank_line.end() : end])
