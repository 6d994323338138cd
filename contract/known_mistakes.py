"""Recognizes what people send by mistake in place of a picture, and says what to do."""

from typing import Final

_SENTENCES: Final = {
    b"data:": "This is a data URL. Please send the bytes of the picture, not text.",
    b"/9j/": "This is a picture as base64 text. Please send its bytes.",  # JPEG
    b"iVBORw0KGgo": "This is a picture as base64 text. Please send its bytes.",  # PNG
    b"UklGR": "This is a picture as base64 text. Please send its bytes.",  # WebP
    b"PK\x03\x04": "This is a zip archive. Please unpack it, and send one picture at a time.",
    b"PK\x05\x06": "This is an empty zip archive. Please send a picture.",
}


def known_mistake(encoded: bytes) -> str | None:
    """Return a sentence about a file that is not a picture, by its first bytes; None if it is none of these."""
    return next((sentence for start, sentence in _SENTENCES.items() if encoded.startswith(start)), None)
