"""Text from outside (file names, answers of an API) in a form that is safe to print and to write into tables.

A file name on Linux is any bytes. Some are not UTF-8, some control a terminal, and some change the direction of the
text around them (https://trojansource.codes).
"""

import re
import unicodedata
from typing import Final

_ESCAPED_CATEGORIES: Final = ("Cc", "Cf", "Cs", "Zl", "Zp")  # controls, formats, bytes that are not UTF-8, line ends
_JOINERS: Final = "\u200c\u200d"  # in the category Cf: part of Persian words and of emoji

# What a spreadsheet takes as a formula, at the start of a cell, or after a character that another locale takes as the
# separator of cells: https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA_START: Final = re.compile(r"""((?:^|[,;])[\s"']*)([=+\-@\uff1d\uff0b\uff0d\uff20])""")


def escape_name(name: str) -> str:
    r"""Write each byte of an unprintable character, and of the backslash, as \xHH; keep all other characters.

    Different names stay different: replacing each \xHH by its byte gives the bytes of the name again.

    Args:
        name: a file name as Python has it, with surrogates for bytes that are not UTF-8.
    """
    return "".join(_hex(char) if char == "\\" or _is_unprintable(char) else char for char in name)


def escape_cell(text: str) -> str:
    """Escape a cell of a CSV table as `escape_name` does, and also a character that would start a formula."""
    return _FORMULA_START.sub(lambda found: found[1] + _hex(found[2]), escape_name(text))


def escape_message(text: str) -> str:
    """Escape the unprintable characters of a message for people; line breaks and backslashes stay."""
    return "".join(_hex(char) if char != "\n" and _is_unprintable(char) else char for char in text)


def _is_unprintable(char: str) -> bool:
    return unicodedata.category(char) in _ESCAPED_CATEGORIES and char not in _JOINERS


def _hex(char: str) -> str:
    if "\udc80" <= char <= "\udcff":  # Python's form of one byte that is not UTF-8 (PEP 383)
        return f"\\x{ord(char) - 0xDC00:02x}"
    return "".join(f"\\x{byte:02x}" for byte in char.encode("utf-8", "surrogatepass"))
