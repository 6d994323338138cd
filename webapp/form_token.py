"""Lets only forms that this page has handed out come back, and those not too late."""

import hashlib
from typing import Final

from itsdangerous import BadSignature, TimestampSigner

from webapp.errors import FormRefusedError

MAX_AGE_S: Final = 12 * 60 * 60  # a page left open for a working day can still be sent

_CONTENT: Final = b"upload"
_OUTDATED: Final = "This form was open for too long. Here is a new one: please choose the picture again."


class FormTokens:
    """Makes the hidden field of the form, and checks it.

    Nobody is logged in here, so another site's form cannot act in someone's name; it could only have its own visitors
    run up this page's bill. Browsers say which site a form comes from, and the token stops what does not say.
    """

    def __init__(self, secret_key: str, max_age_s: int = MAX_AGE_S) -> None:
        self._signer = TimestampSigner(
            secret_key, salt="upload-form", key_derivation="hmac", digest_method=hashlib.sha256
        )
        self._max_age_s = max_age_s

    def make(self) -> str:
        """Make a token that is good from now on for as long as `max_age_s`."""
        return self._signer.sign(_CONTENT).decode("ascii")

    def check(self, token: str, fetch_site: str | None) -> None:
        """Let a form pass that was handed out here.

        Args:
            token: what the form's hidden field says.
            fetch_site: the Sec-Fetch-Site header, which browsers set and scripts of other sites cannot.

        Raises:
            FormRefusedError: it comes from another site, is too old, or was not made with this key.
        """
        if fetch_site not in (None, "same-origin", "none"):
            raise FormRefusedError("The form was sent from another site. Please choose the picture here.")
        try:
            if self._signer.unsign(token.encode(errors="replace"), max_age=self._max_age_s) == _CONTENT:
                return
        except BadSignature as error:  # an expired one too
            raise FormRefusedError(_OUTDATED) from error
        raise FormRefusedError(_OUTDATED)
