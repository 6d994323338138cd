"""The form's protection against cross-site request forgery (CSRF)."""

import hashlib
from typing import Final

from itsdangerous import BadSignature, TimestampSigner

from webapp.errors import FormRefusedError

MAX_AGE_S: Final = 12 * 60 * 60  # a page left open for a working day can still be sent

_CONTENT: Final = b"upload"
_EXPIRED: Final = "This form was open for too long. Here is a new one: please choose the picture again."


class CsrfTokens:
    """Makes and checks the token in the form's hidden field.

    There is no login, so another site's form cannot act in a person's name. It could only send its visitors' pictures
    at this page's cost. Browsers send the site of a form (Sec-Fetch-Site); the token stops clients that do not.
    """

    def __init__(self, secret_key: str, max_age_s: int = MAX_AGE_S) -> None:
        self._signer = TimestampSigner(
            secret_key, salt="upload-form", key_derivation="hmac", digest_method=hashlib.sha256
        )
        self._max_age_s = max_age_s

    def make(self) -> str:
        """Make a token that is valid for `max_age_s` from now."""
        return self._signer.sign(_CONTENT).decode("ascii")

    def check(self, token: str, fetch_site: str | None) -> None:
        """Accept only a form that this page has made.

        Args:
            token: the value of the form's hidden field.
            fetch_site: the Sec-Fetch-Site header, which browsers set and scripts of other sites cannot change.

        Raises:
            FormRefusedError: the form comes from another site or is too old, or its token has another key.
        """
        if fetch_site not in (None, "same-origin", "none"):
            raise FormRefusedError("The form was sent from another site. Please choose the picture here.")
        try:
            if self._signer.unsign(token.encode(errors="replace"), max_age=self._max_age_s) == _CONTENT:
                return
        except BadSignature as error:  # also an expired one
            raise FormRefusedError(_EXPIRED) from error
        raise FormRefusedError(_EXPIRED)
