"""Signs calls to the API with the AWS credentials of this machine or container (Signature Version 4)."""

import re
from threading import Lock
from typing import Final

import botocore.session
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError

from webapp.errors import SigningError

SERVICE: Final = "execute-api"  # the name of API Gateway in signatures

_REGION_IN_HOST: Final = re.compile(r"\.execute-api(?:-fips)?\.([a-z0-9-]+)\.")


class Signer:
    """Adds the signature headers, by which API Gateway identifies the calling role."""

    def __init__(self, url: str) -> None:
        """Find the region: in the address of the API, else in the AWS settings of this machine.

        Raises:
            SigningError: no region is known.
        """
        self._session = botocore.session.get_session()
        self._lock = Lock()  # a botocore session is not thread-safe, and it renews credentials by itself
        in_host = _REGION_IN_HOST.search(url)
        region = in_host[1] if in_host else self._session.get_config_variable("region")
        if not region:
            raise SigningError(
                "There is no AWS region to sign for: set AWS_DEFAULT_REGION, or use the API's own address, which "
                "names its region."
            )
        self._region: str = region

    def sign(self, method: str, url: str, headers: dict[str, str], body: bytes) -> dict[str, str]:
        """Return the headers together with those of the signature, which is valid for five minutes.

        Raises:
            SigningError: there are no credentials, or they cannot be renewed.
        """
        try:
            with self._lock:
                credentials = self._session.get_credentials()
                frozen = credentials.get_frozen_credentials() if credentials else None
        except BotoCoreError as error:
            raise SigningError(f"The AWS credentials cannot be read ({error}).") from error
        if frozen is None:
            raise SigningError(
                "There are no AWS credentials to sign the request with: set them up, or give the container a role."
            )
        request = AWSRequest(method=method, url=url, headers=headers, data=body)
        SigV4Auth(frozen, SERVICE, self._region).add_auth(request)
        return dict(request.headers.items())
