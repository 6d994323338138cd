"""A small S3 client: signed GET and PUT requests, with retries, jitter and a deadline.

Importing boto3 or urllib3 takes longer than the three GETs of a cold start: see docs/decisions/model-from-s3.md.
"""

import http.client
import itertools
import random
import re
import time
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from contract.errors import MissingObjectError, PayloadTooLargeError, StorageUnavailableError
from functions.classify.sigv4 import Credentials, signed_headers

CONNECT_TIMEOUT_S, READ_TIMEOUT_S = 1.0, 3.0  # of one attempt; the second is the longest time without a byte
DEADLINE_S = 8.0  # of all attempts for one object: Lambda's init phase ends after ten seconds
ATTEMPTS = 5
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 2.0
RETRYABLE = frozenset({408, 429, 500, 502, 503, 504})  # 503 is S3's SlowDown
_CHUNK_BYTES = 1 << 18
_ERROR_BYTES = 2000  # S3's errors are a few hundred bytes of XML

T = TypeVar("T")


class ConnectionBrokenError(Exception):
    """The connection failed or timed out."""


class S3:
    """The S3 of one region, or a compatible server."""

    def __init__(self, *, region: str, endpoint_url: str | None = None, deadline_s: float = DEADLINE_S) -> None:
        """Open no connection yet."""
        self._region, self._endpoint_url, self._deadline_s = region, endpoint_url, deadline_s
        self._connection: http.client.HTTPConnection | None = None
        self._credentials: Credentials | None = None

    def __del__(self) -> None:
        self._close()

    def download(self, bucket: str, key: str, target: Path) -> None:
        """Stream an object to a file.

        Raises:
            MissingObjectError: there is no such object.
            StorageUnavailableError: S3 refuses, or gives no complete answer in time.
        """

        def receive(answer: http.client.HTTPResponse, deadline: float) -> None:
            with target.open("wb") as file:  # each attempt starts from the beginning
                for chunk in _chunks(answer, deadline):
                    file.write(chunk)

        self._send("GET", bucket, key, receive)

    def read(self, bucket: str, key: str, *, max_bytes: int) -> bytes:
        """Return the bytes of an object.

        Raises:
            PayloadTooLargeError: it has more than `max_bytes`; the rest is not read.
            MissingObjectError, StorageUnavailableError: as in `download`.
        """

        def receive(answer: http.client.HTTPResponse, deadline: float) -> bytes:
            content = bytearray()
            for chunk in _chunks(answer, deadline):
                content += chunk
                if len(content) > max_bytes:
                    raise PayloadTooLargeError(f"The picture is over {max_bytes / 1e6:.1f} MB; store a smaller one.")
            return bytes(content)

        return self._send("GET", bucket, key, receive)

    def write(self, bucket: str, key: str, content: bytes) -> None:
        """Store an object, and replace one of the same key.

        Raises:
            StorageUnavailableError: S3 refuses, or does not answer in time.
        """
        self._send("PUT", bucket, key, lambda answer, deadline: [*_chunks(answer, deadline)], content)

    def _send(
        self,
        method: str,
        bucket: str,
        key: str,
        receive: Callable[[http.client.HTTPResponse, float], T],
        content: bytes | None = None,
    ) -> T:
        """Send a request, and retry until the answer is complete: S3 throttles, and connections break."""
        url, deadline = self._url(bucket, key), time.monotonic() + self._deadline_s
        for attempt in itertools.count(1):
            try:
                answer = self._request(method, url, content)
                try:
                    if answer.status in (200, 206):
                        return receive(answer, deadline)
                    failure: Exception = _error_from(answer, key)
                finally:
                    if not answer.isclosed():  # else the next answer would start with the unread rest of this one
                        self._close()
                if answer.status not in RETRYABLE:
                    raise failure
            except ConnectionBrokenError as error:
                failure = error
                self._close()
            # "full jitter": containers that failed together do not retry together
            pause_s = random.uniform(0, min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**attempt))  # noqa: S311
            if attempt == ATTEMPTS or time.monotonic() + pause_s >= deadline:
                if isinstance(failure, StorageUnavailableError):
                    raise failure
                raise StorageUnavailableError(
                    f"S3 gave no complete answer for {_name(key)} in {attempt} attempts. Try again."
                ) from failure
            time.sleep(pause_s)
        raise AssertionError("unreachable: the loop has no end")

    def _request(self, method: str, url: str, content: bytes | None) -> http.client.HTTPResponse:
        """Sign each attempt, and send it over the open connection if there is one."""
        self._credentials = self._credentials or Credentials.from_env() or _botocore_credentials()
        headers = signed_headers(method, url, content, credentials=self._credentials, region=self._region)
        address = urllib.parse.urlsplit(url)
        with _broken_connections():
            if self._connection is None:
                connect = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
                self._connection = connect(address.netloc, timeout=CONNECT_TIMEOUT_S)
                self._connection.connect()
                self._connection.sock.settimeout(READ_TIMEOUT_S)
            self._connection.request(method, address.path, content, headers)
            return self._connection.getresponse()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _url(self, bucket: str, key: str) -> str:
        path = urllib.parse.quote(key)
        if self._endpoint_url:
            return f"{self._endpoint_url.rstrip('/')}/{bucket}/{path}"
        if "." in bucket:  # its host name would not match S3's certificate
            return f"https://s3.{self._region}.amazonaws.com/{bucket}/{path}"
        return f"https://{bucket}.s3.{self._region}.amazonaws.com/{path}"


def _chunks(answer: http.client.HTTPResponse, deadline: float) -> Iterator[bytes]:
    """Read the body in chunks as they arrive, and check the deadline for each, also for a slow sender."""
    while True:
        if time.monotonic() > deadline:
            raise ConnectionBrokenError("the deadline has passed")
        with _broken_connections():
            chunk = answer.read1(_CHUNK_BYTES)
        if not chunk:
            break
        yield chunk
    if answer.length:  # read1 also returns nothing when the connection breaks
        raise ConnectionBrokenError(f"{answer.length} bytes are missing")


@contextmanager
def _broken_connections() -> Iterator[None]:
    """Translate network errors here, because errors of the disk are OSErrors too."""
    try:
        yield
    except (OSError, http.client.HTTPException) as error:
        raise ConnectionBrokenError(str(error)) from error


def _botocore_credentials() -> Credentials:
    """Find credentials where AWS's tools do: in profiles, containers and instances."""
    import botocore.session

    found = botocore.session.Session().get_credentials()
    if found is None:
        raise StorageUnavailableError("There are no AWS credentials to sign requests to S3 with.")
    return Credentials(str(found.access_key), str(found.secret_key), found.token)


def _error_from(answer: http.client.HTTPResponse, key: str) -> Exception:
    with _broken_connections():
        code = re.search(rb"<Code>(\w{1,60})</Code>", answer.read(_ERROR_BYTES))
    reason = f"{answer.status} ({code[1].decode()})" if code else str(answer.status)
    if answer.status == 404:
        return MissingObjectError(f"S3 answered {reason} when asked for {_name(key)}.")
    return StorageUnavailableError(f"S3 answered {reason} when asked for {_name(key)}.")


def _name(key: str) -> str:
    """Return the last part of a key: the rest may hold private names, which do not belong in a log."""
    return key.rsplit("/", 1)[-1]
