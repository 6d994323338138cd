"""The page's settings: environment variables, read and checked once at the start."""

import os
import secrets
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from webapp.errors import SettingsError

Auth = Literal["iam", "none"]

MIN_SECRET_CHARACTERS: Final = 32
MAX_UPLOAD_MB_RANGE: Final = (1, 100)  # the whole upload is held in memory
TIMEOUT_S_RANGE: Final = (1.0, 60.0)


def _check_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a port that is not a number, or brackets that do not close
        usable = False
    if not usable or parts.query or parts.fragment or parts.username is not None or any(map(str.isspace, url)):
        raise ValueError(
            "CLASSIFY_URL is not an address that the page can call: it must look like https://api.example.org, "
            "without a user name, a query or a fragment."
        )
    return url.rstrip("/")


def _split_hosts(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    hosts = tuple(host.strip() for host in value.split(",") if host.strip())
    for host in hosts:
        if "/" in host or any(map(str.isspace, host)):
            raise ValueError(
                f"TRUSTED_HOSTS names {host!r}: give only host names, separated by commas, "
                "for example lesions.example.org,.internal.example.org."
            )
    return hosts


Url = Annotated[str, AfterValidator(_check_url)]
HostNames = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split_hosts)]
Timeout = Annotated[float, Field(ge=TIMEOUT_S_RANGE[0], le=TIMEOUT_S_RANGE[1])]
UploadLimit = Annotated[float, Field(ge=MAX_UPLOAD_MB_RANGE[0], le=MAX_UPLOAD_MB_RANGE[1])]


class Settings(BaseSettings):
    """Each field is the environment variable of the same name in upper case; an empty variable counts as not set."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    classify_url: Url  # of the API, without a slash at its end
    classify_auth: Auth = "iam"  # iam: sign each call with the AWS credentials of this container
    classify_timeout_s: Timeout = 30.0  # for one answer with all its tries; as long as API Gateway waits for Lambda
    secret_key: SecretStr = SecretStr("")  # signs the form; the same in every process of one page
    trusted_hosts: HostNames = ()  # that the page answers to; empty: any
    max_upload_mb: UploadLimit = 20.0  # of a form

    @classmethod
    def from_env(cls) -> Self:
        """Read the settings.

        Raises:
            SettingsError: a variable is missing or has a value that cannot be used; the message names it.
        """
        try:
            return cls()
        except ValidationError as error:
            raise SettingsError(_sentence(error)) from error

    @property
    def max_upload_bytes(self) -> int:
        """The limit of a whole form in bytes."""
        return int(1_000_000 * self.max_upload_mb)

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, *_: Any, **__: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read upper-case names only: `secret_key` is another variable than `SECRET_KEY`."""
        environment = EnvSettingsSource(settings_cls)
        environment.env_vars = {name.lower(): value for name, value in os.environ.items() if name.isupper()}
        return init_settings, environment

    @model_validator(mode="before")
    @classmethod
    def _drop_empty(cls, values: dict[str, Any]) -> dict[str, Any]:
        stripped = {name: value.strip() if isinstance(value, str) else value for name, value in values.items()}
        return {name: value for name, value in stripped.items() if value != ""}

    @field_validator("secret_key")
    @classmethod
    def _check_secret_key(cls, key: SecretStr, info: ValidationInfo) -> SecretStr:
        text = key.get_secret_value()
        if not text and info.data.get("classify_auth") == "none":
            return SecretStr(secrets.token_urlsafe(32))  # for this process and those that it forks
        if len(text) < MIN_SECRET_CHARACTERS:
            raise ValueError(
                f"SECRET_KEY must have at least {MIN_SECRET_CHARACTERS} characters: make one with "
                "python -c 'import secrets; print(secrets.token_urlsafe(32))' and keep it secret."
            )
        return key


VARIABLES: Final = tuple(name.upper() for name in Settings.model_fields)

_EXPECTED: Final = {
    "CLASSIFY_AUTH": "one of iam, none",
    "CLASSIFY_TIMEOUT_S": f"a number of seconds from {TIMEOUT_S_RANGE[0]:g} to {TIMEOUT_S_RANGE[1]:g}",
    "MAX_UPLOAD_MB": f"a number of megabytes from {MAX_UPLOAD_MB_RANGE[0]:g} to {MAX_UPLOAD_MB_RANGE[1]:g}",
}


def _sentence(error: ValidationError) -> str:
    """Describe the error of the first invalid variable."""
    first = error.errors()[0]
    if first["type"] == "value_error":
        return str(first["ctx"]["error"])
    name = str(first["loc"][0]).upper()
    if first["type"] == "missing":
        return f"{name} is not set: give the address of the API, for example https://api.example.org."
    return f"{name} is {first['input']!r}: it must be {_EXPECTED[name]}."
