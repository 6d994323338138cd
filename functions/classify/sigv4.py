"""AWS's Signature Version 4 for a request to S3, whose body is at hand.

botocore's own signer loads 60 ms of imports into every cold start; a test holds this one against it.
https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
"""

import hashlib
import hmac
import os
import time
import urllib.parse
from typing import NamedTuple

ALGORITHM, SERVICE = "AWS4-HMAC-SHA256", "s3"


class Keys(NamedTuple):
    """Credentials: of a user, or with a token those of a role."""

    access_key: str
    secret_key: str
    token: str | None = None

    @classmethod
    def from_env(cls) -> "Keys | None":
        """Take those that Lambda gives a function for as long as it lives."""
        access_key, secret_key = os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("AWS_SECRET_ACCESS_KEY")
        return cls(access_key, secret_key, os.environ.get("AWS_SESSION_TOKEN")) if access_key and secret_key else None


def signed_headers(
    method: str, url: str, content: bytes | None, *, keys: Keys, region: str, now_s: float | None = None
) -> dict[str, str]:
    """Word the headers that let a request in.

    Args:
        method: GET or PUT.
        url: with a quoted path and no query.
        content: the body, if there is one.
        keys: whose request it is.
        region: of the bucket.
        now_s: seconds since 1970; the signature holds for fifteen minutes from then.
    """
    address = urllib.parse.urlsplit(url)
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now_s))
    digest = hashlib.sha256(content or b"").hexdigest()
    headers = {"host": address.netloc, "x-amz-content-sha256": digest, "x-amz-date": moment}
    if keys.token:
        headers["x-amz-security-token"] = keys.token
    names = ";".join(headers)  # in alphabetical order
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    canonical = f"{method}\n{address.path}\n\n{lines}\n{names}\n{digest}"
    scope = f"{moment[:8]}/{region}/{SERVICE}/aws4_request"
    to_sign = f"{ALGORITHM}\n{moment}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{keys.secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    credential = f"{ALGORITHM} Credential={keys.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
    return {**headers, "authorization": credential}
