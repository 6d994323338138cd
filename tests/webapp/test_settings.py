"""The door through which the page's environment enters."""

from collections.abc import Iterator, Mapping

import pytest

from webapp.errors import SettingsError
from webapp.settings import VARIABLES, Settings

LONG_KEY = "k" * 32
ENOUGH = {"CLASSIFY_URL": "https://api.example.org/stage/", "SECRET_KEY": LONG_KEY}


class Recorded(Mapping[str, str]):
    """An environment that remembers what it was asked for."""

    def __init__(self, values: dict[str, str]) -> None:
        self.values_, self.asked = values, set[str]()

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        return self.values_[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_)

    def __len__(self) -> int:
        return len(self.values_)


def test_two_variables_are_enough_behind_iam() -> None:
    assert Settings.from_env(ENOUGH) == Settings(
        classify_url="https://api.example.org/stage",
        classify_auth="iam",
        classify_timeout_s=30,
        secret_key=LONG_KEY,
        trusted_hosts=(),
        max_upload_bytes=20_000_000,
    )


def test_every_variable_has_its_effect() -> None:
    changed = {
        "CLASSIFY_URL": "http://127.0.0.1:8000",
        "CLASSIFY_AUTH": "none",
        "CLASSIFY_TIMEOUT_S": "2.5",
        "SECRET_KEY": "x" * 40,
        "TRUSTED_HOSTS": " lesions.example.org, .internal ,",
        "MAX_UPLOAD_MB": "8",
    }
    assert Settings.from_env(changed) == Settings(
        classify_url="http://127.0.0.1:8000",
        classify_auth="none",
        classify_timeout_s=2.5,
        secret_key="x" * 40,
        trusted_hosts=("lesions.example.org", ".internal"),
        max_upload_bytes=8_000_000,
    )


def test_the_variables_that_are_read_are_those_that_are_listed() -> None:
    environ = Recorded(ENOUGH)
    Settings.from_env(environ)
    assert environ.asked == set(VARIABLES)


def test_an_empty_variable_counts_as_not_set() -> None:
    assert Settings.from_env(dict.fromkeys(VARIABLES, "") | ENOUGH) == Settings.from_env(ENOUGH)


def test_without_iam_each_process_may_make_its_own_key() -> None:
    environ = {"CLASSIFY_URL": "http://localhost", "CLASSIFY_AUTH": "none"}
    keys = {Settings.from_env(environ).secret_key for _ in range(2)}
    assert len(keys) == 2
    assert all(len(key) >= 32 for key in keys)


def test_the_key_is_not_printed_with_the_settings() -> None:
    assert LONG_KEY not in repr(Settings.from_env(ENOUGH))


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
def test_a_value_that_cannot_be_used_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name) as refused:
        Settings.from_env(ENOUGH | {name: value})
    assert "\n" not in str(refused.value)
    assert str(refused.value).endswith(".")


def test_a_refused_key_is_not_repeated() -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.from_env(ENOUGH | {"SECRET_KEY": "hush"})
    assert "hush" not in str(refused.value)
