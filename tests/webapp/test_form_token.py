"""Only forms that this page has handed out come back, and those not too late."""

import hashlib
import time

import pytest
from itsdangerous import TimestampSigner

from webapp.errors import FormRefusedError
from webapp.form_token import MAX_AGE_S, FormTokens

KEY = "a key of some length for the tests"


class PastSigner(TimestampSigner):
    """Signs as if it were earlier."""

    def get_timestamp(self) -> int:
        return int(time.time()) - MAX_AGE_S - 5


@pytest.mark.parametrize("fetch_site", [None, "same-origin", "none"])
def test_a_form_of_this_page_passes(fetch_site: str | None) -> None:
    FormTokens(KEY).check(FormTokens(KEY).make(), fetch_site)


@pytest.mark.parametrize("fetch_site", ["cross-site", "same-site", ""])
def test_a_form_on_another_site_is_refused_whatever_its_token(fetch_site: str) -> None:
    with pytest.raises(FormRefusedError, match="another site"):
        FormTokens(KEY).check(FormTokens(KEY).make(), fetch_site)


@pytest.mark.parametrize("token", ["", "upload", "upload.x.y", "\u00e4", "\udcff", "a" * 100_000])
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(FormRefusedError):
        FormTokens(KEY).check(token, None)


def test_a_token_of_another_key_is_refused() -> None:
    with pytest.raises(FormRefusedError):
        FormTokens(KEY).check(FormTokens(KEY[::-1]).make(), None)


def test_a_changed_token_is_refused() -> None:
    with pytest.raises(FormRefusedError):
        FormTokens(KEY).check(f"X{FormTokens(KEY).make()[1:]}", None)


def test_an_old_token_is_refused() -> None:
    signer = PastSigner(KEY, salt="upload-form", key_derivation="hmac", digest_method=hashlib.sha256)
    old = signer.sign(b"upload").decode()
    FormTokens(KEY, max_age_s=MAX_AGE_S + 60).check(old, None)
    with pytest.raises(FormRefusedError, match="too long"):
        FormTokens(KEY).check(old, None)


def test_a_signature_made_for_something_else_is_refused() -> None:
    signer = TimestampSigner(KEY, salt="upload-form", key_derivation="hmac", digest_method=hashlib.sha256)
    with pytest.raises(FormRefusedError):
        FormTokens(KEY).check(signer.sign(b"download").decode(), None)
