"""The page's settings: environment variables, read and checked once."""

import traceback
from collections.abc import Callable

import pytest
from pydantic import SecretStr

from webapp.errors import SettingsError
from webapp.settings import VARIABLES, Settings

SetVariables = Callable[[dict[str, str]], None]

LONG_KEY = "k" * 32
ENOUGH = {"CLASSIFY_URL": "https://api.example.org/stage/", "SECRET_KEY": LONG_KEY}


@pytest.fixture(autouse=True)
def set_variables(monkeypatch: pytest.MonkeyPatch) -> SetVariables:
    """Set these variables, and no other variable of the page."""

    def set_variables(values: dict[str, str]) -> None:
        for name in VARIABLES:
            monkeypatch.delenv(name, raising=False)
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    set_variables({})
    return set_variables


def test_two_variables_are_enough_behind_iam(set_variables: SetVariables) -> None:
    set_variables(ENOUGH)
    settings = Settings.from_env()
    assert settings == Settings(
        classify_url="https://api.example.org/stage",
        classify_auth="iam",
        classify_timeout_s=30,
        secret_key=SecretStr(LONG_KEY),
        trusted_hosts=(),
        max_upload_mb=20,
    )
    assert settings.max_upload_bytes == 20_000_000


def test_every_variable_has_its_effect(set_variables: SetVariables) -> None:
    changed = {
        "CLASSIFY_URL": "http://127.0.0.1:8000",
        "CLASSIFY_AUTH": "none",
        "CLASSIFY_TIMEOUT_S": "2.5",
        "SECRET_KEY": "x" * 40,
        "TRUSTED_HOSTS": " lesions.example.org, .internal ,",
        "MAX_UPLOAD_MB": "8",
    }
    assert set(changed) == set(VARIABLES)
    set_variables(changed)
    settings = Settings.from_env()
    assert settings == Settings(
        classify_url="http://127.0.0.1:8000",
        classify_auth="none",
        classify_timeout_s=2.5,
        secret_key=SecretStr("x" * 40),
        trusted_hosts=("lesions.example.org", ".internal"),
        max_upload_mb=8,
    )
    assert settings.max_upload_bytes == 8_000_000


@pytest.mark.parametrize("empty", ["", "  "])
def test_an_empty_variable_counts_as_not_set(set_variables: SetVariables, empty: str) -> None:
    set_variables(ENOUGH)
    expected = Settings.from_env()
    set_variables(dict.fromkeys(VARIABLES, empty) | ENOUGH)
    assert Settings.from_env() == expected


def test_a_lower_case_variable_is_not_read(set_variables: SetVariables, monkeypatch: pytest.MonkeyPatch) -> None:
    set_variables(ENOUGH)
    monkeypatch.setenv("secret_key", "short")
    monkeypatch.setenv("max_upload_mb", "7")
    assert Settings.from_env().max_upload_mb == 20


def test_without_iam_each_process_may_make_its_own_key(set_variables: SetVariables) -> None:
    set_variables({"CLASSIFY_URL": "http://localhost", "CLASSIFY_AUTH": "none"})
    keys = {Settings.from_env().secret_key.get_secret_value() for _ in range(2)}
    assert len(keys) == 2
    assert all(len(key) >= 32 for key in keys)


def test_the_key_is_not_printed_with_the_settings(set_variables: SetVariables) -> None:
    set_variables(ENOUGH)
    assert LONG_KEY not in repr(Settings.from_env())
    assert LONG_KEY not in str(Settings.from_env())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CLASSIFY_URL", ""),
        ("CLASSIFY_URL", "api.example.org"),
        ("CLASSIFY_URL", "ftp://api.example.org"),
        ("CLASSIFY_URL", "https://"),
        ("CLASSIFY_URL", "https://user:pass@api.example.org"),
        ("CLASSIFY_URL", "https://api.example.org?explain=false"),
        ("CLASSIFY_URL", "https://api.example.org#top"),
        ("CLASSIFY_URL", "https://api.example.org:port"),
        ("CLASSIFY_URL", "https://[::1"),
        ("CLASSIFY_URL", "https://api.example.org/a b"),
        ("CLASSIFY_AUTH", "basic"),
        ("CLASSIFY_AUTH", "IAM"),
        ("CLASSIFY_TIMEOUT_S", "0"),
        ("CLASSIFY_TIMEOUT_S", "soon"),
        ("SECRET_KEY", ""),
        ("SECRET_KEY", "short"),
        ("TRUSTED_HOSTS", "https://lesions.example.org"),
        ("TRUSTED_HOSTS", "one two"),
        ("MAX_UPLOAD_MB", "0"),
        ("MAX_UPLOAD_MB", "-5"),
        ("MAX_UPLOAD_MB", "1000"),
        ("MAX_UPLOAD_MB", "nan"),
        ("MAX_UPLOAD_MB", "20 MB"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_by_name(set_variables: SetVariables, name: str, value: str) -> None:
    set_variables(ENOUGH | {name: value})
    with pytest.raises(SettingsError, match=name) as refused:
        Settings.from_env()
    assert "\n" not in str(refused.value)
    assert str(refused.value).endswith(".")


@pytest.mark.parametrize("also_refused", [{}, {"CLASSIFY_URL": ""}, {"CLASSIFY_AUTH": "basic"}])
def test_a_refused_key_is_in_no_error(set_variables: SetVariables, also_refused: dict[str, str]) -> None:
    set_variables(ENOUGH | {"SECRET_KEY": "hush"} | also_refused)
    with pytest.raises(SettingsError) as refused:
        Settings.from_env()
    assert "hush" not in "".join(traceback.format_exception(refused.value))
