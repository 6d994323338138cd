"""The one door through which the page's environment enters."""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, cast, get_args
from urllib.parse import urlsplit

from webapp.errors import SettingsError

Auth = Literal["iam", "none"]

VARIABLES: Final = (
    "CLASSIFY_URL",
    "CLASSIFY_AUTH",
    "CLASSIFY_TIMEOUT_S",
    "SECRET_KEY",
    "TRUSTED_HOSTS",
    "MAX_UPLOAD_MB",
)

MIN_SECRET_CHARACTERS: Final = 32
MAX_UPLOAD_MB_RANGE: Final = (1, 100)  # the whole upload is held in memory
TIMEOUT_S_RANGE: Final = (1.0, 60.0)
DEFAULT_TIMEOUT_S: Final = 30.0  # how long API Gateway itself waits for a Lambda function
DEFAULT_MAX_UPLOAD_MB: Final = 20


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All that the page is told from outside."""

    classify_url: str  # of the API, without a slash at its end
    classify_auth: Auth  # whether calls are signed with the credentials that AWS gives this container
    classify_timeout_s: float  # for one answer, all tries together
    secret_key: str = field(repr=False)  # signs the form; the same in every process that serves one page
    trusted_hosts: tuple[str, ...]  # host names that the page answers to; empty: any
    max_upload_bytes: int  # of a whole form

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> "Settings":
        """Read the settings; a variable that is empty counts as not set.

        Raises:
            SettingsError: a variable is missing or its value cannot be used; the message names it.
        """
        environ = os.environ if environ is None else environ
        auth = _choice(environ.get("CLASSIFY_AUTH", "").strip() or "iam")
        return cls(
            classify_url=_base_url(environ.get("CLASSIFY_URL", "").strip()),
            classify_auth=auth,
            classify_timeout_s=_number(environ, "CLASSIFY_TIMEOUT_S", DEFAULT_TIMEOUT_S, *TIMEOUT_S_RANGE, "seconds"),
            secret_key=_secret_key(environ.get("SECRET_KEY", "").strip(), auth),
            trusted_hosts=_hosts(environ.get("TRUSTED_HOSTS", "")),
            max_upload_bytes=int(
                1_000_000 * _number(environ, "MAX_UPLOAD_MB", DEFAULT_MAX_UPLOAD_MB, *MAX_UPLOAD_MB_RANGE, "megabytes")
            ),
        )


def _base_url(value: str) -> str:
    if not value:
        raise SettingsError(
            "CLASSIFY_URL is not set: give the address of the API, for example https://api.example.org."
        )
    try:
        parts = urlsplit(value)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a port that is no number, brackets that do not close
        usable = False
    if not usable or parts.query or parts.fragment or parts.username is not None or any(map(str.isspace, value)):
        raise SettingsError(
            "CLASSIFY_URL is not an address that the page can call: it must look like https://api.example.org, "
            "without a user name, a query or a fragment."
        )
    return value.rstrip("/")


def _choice(value: str) -> Auth:
    if value not in get_args(Auth):
        raise SettingsError(f"CLASSIFY_AUTH is {value!r}: it must be one of {', '.join(get_args(Auth))}.")
    return cast(Auth, value)


def _secret_key(value: str, auth: Auth) -> str:
    if not value and auth == "none":
        return secrets.token_urlsafe(32)  # good for one process and those it forks
    if len(value) < MIN_SECRET_CHARACTERS:
        raise SettingsError(
            f"SECRET_KEY must have at least {MIN_SECRET_CHARACTERS} characters: make one with "
            "python -c 'import secrets; print(secrets.token_urlsafe(32))' and keep it to yourself."
        )
    return value


def _hosts(value: str) -> tuple[str, ...]:
    hosts = tuple(host.strip() for host in value.split(",") if host.strip())
    for host in hosts:
        if "/" in host or any(map(str.isspace, host)):
            raise SettingsError(
                f"TRUSTED_HOSTS names {host!r}: give host names alone, with commas between, "
                "for example lesions.example.org,.internal.example.org."
            )
    return hosts


def _number(environ: Mapping[str, str], name: str, default: float, low: float, high: float, unit: str) -> float:
    text = environ.get(name, "").strip()
    if not text:
        return default
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not low <= number <= high:
        raise SettingsError(f"{name} is {text!r}: it must be a number of {unit} from {low:g} to {high:g}.")
    return number
