"""Only forms that this page has made are accepted, and only until they expire."""

import hashlib
import time

import pytest
from itsdangerous import TimestampSigner

from webapp.csrf import MAX_AGE_S, CsrfTokens
from webapp.errors import FormRefusedError

KEY = "a key of some length for the tests"


class PastSigner(TimestampSigner):
    """Signs with a time in the past."""

    def get_timestamp(self) -> int:
        return int(time.time()) - MAX_AGE_S - 5


@pytest.mark.parametrize("fetch_site", [None, "same-origin", "none"])
def test_a_form_of_this_page_is_accepted(fetch_site: str | None) -> None:
    CsrfTokens(KEY).check(CsrfTokens(KEY).make(), fetch_site)


@pytest.mark.parametrize("fetch_site", ["cross-site", "same-site", ""])
def test_a_form_on_another_site_is_refused_whatever_its_token(fetch_site: str) -> None:
    with pytest.raises(FormRefusedError, match="another site"):
        CsrfTokens(KEY).check(CsrfTokens(KEY).make(), fetch_site)


@pytest.mark.parametrize("token", ["", "upload", "upload.x.y", "\u00e4", "\udcff", "a" * 100_000])
def test_an_invalid_token_is_refused(token: str) -> None:
    with pytest.raises(FormRefusedError):
        CsrfTokens(KEY).check(token, None)


def test_a_token_of_another_key_is_refused() -> None:
    with pytest.raises(FormRefusedError):
        CsrfTokens(KEY).check(CsrfTokens(KEY[::-1]).make(), None)


def test_a_changed_token_is_refused() -> None:
    with pytest.raises(FormRefusedError):
        CsrfTokens(KEY).check(f"X{CsrfTokens(KEY).make()[1:]}", None)


def test_an_old_token_is_refused() -> None:
    signer = PastSigner(KEY, salt="upload-form", key_derivation="hmac", digest_method=hashlib.sha256)
    old = signer.sign(b"upload").decode()
    CsrfTokens(KEY, max_age_s=MAX_AGE_S + 60).check(old, None)
    with pytest.raises(FormRefusedError, match="too long"):
        CsrfTokens(KEY).check(old, None)


def test_a_signature_of_other_content_is_refused() -> None:
    signer = TimestampSigner(KEY, salt="upload-form", key_derivation="hmac", digest_method=hashlib.sha256)
    with pytest.raises(FormRefusedError):
        CsrfTokens(KEY).check(signer.sign(b"download").decode(), None)
