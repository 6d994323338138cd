"""Signs calls to the API with the credentials that AWS gives this container: Signature Version 4, no key kept here."""

import re
from threading import Lock
from typing import Final

import botocore.session
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError

from webapp.errors import SettingsError, SigningError

SERVICE: Final = "execute-api"  # what API Gateway's signatures are scoped to

_REGION_IN_HOST: Final = re.compile(r"\.execute-api(?:-fips)?\.([a-z0-9-]+)\.")


class Signer:
    """Adds the headers by which API Gateway knows the caller's role."""

    def __init__(self, url: str) -> None:
        """Find the region in the API's address, else where AWS's own tools look for it.

        Raises:
            SettingsError: the region is nowhere to be found.
        """
        self._session = botocore.session.get_session()
        self._looking_up = Lock()  # a botocore session is for one thread at a time; credentials renew themselves
        in_host = _REGION_IN_HOST.search(url)
        region = in_host[1] if in_host else self._session.get_config_variable("region")
        if not region:
            raise SettingsError(
                "There is no AWS region to sign for: set AWS_DEFAULT_REGION, or let CLASSIFY_URL be the API's own "
                "address, which names it."
            )
        self._region: str = region

    def sign(self, method: str, url: str, headers: dict[str, str], body: bytes) -> dict[str, str]:
        """Return the headers with Authorization and its companions added; good for five minutes.

        Raises:
            SigningError: there are no credentials, or they cannot be renewed.
        """
        try:
            with self._looking_up:
                credentials = self._session.get_credentials()
                frozen = credentials.get_frozen_credentials() if credentials else None
        except BotoCoreError as error:
            raise SigningError(f"AWS's credentials cannot be read: {error}") from error
        if frozen is None:
            raise SigningError("There are no AWS credentials: give the container a role, or set CLASSIFY_AUTH=none.")
        request = AWSRequest(method=method, url=url, headers=headers, data=body)
        SigV4Auth(frozen, SERVICE, self._region).add_auth(request)
        return dict(request.headers.items())
