"""The names of versions, as in 20260302T000000Z-d0d098e8, checked without asking AWS."""

import re
from typing import Final

from contract.errors import DeploymentError

VERSION: Final = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{8}")
NAMING: Final = (
    "versions are named like 20260302T000000Z-d0d098e8, and the first or last characters are enough. "
    "`lesion models list` shows all."
)
_PART: Final = re.compile(r"(?=.)[0-9TZ]{0,16}-?[0-9a-f]{0,8}")


def may_be_version(text: str) -> bool:
    """Return whether a text can be the name of a version, or the start or end of one."""
    return bool(_PART.fullmatch(text))


def check_version_name(text: str) -> None:
    """Refuse a text that cannot be the name of a version, or the start or end of one.

    Raises:
        DeploymentError: it cannot.
    """
    if not may_be_version(text):
        raise DeploymentError(f"{text!r} is not a version: {NAMING}")
