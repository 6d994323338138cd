"""One promotion at a time: a lock in the models bucket, taken by S3's conditional writes, which are atomic."""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from contract.errors import DeploymentError
from operations.aws import client, told

KEY: Final = "locks/promotion.json"
EXPIRES: Final = timedelta(minutes=15)  # far longer than all that happens under it, which a canary does not
_LOST: Final = {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"}  # somebody else was first


@dataclass(frozen=True)
class _Held:
    """What the object in S3 says, and by S3's own clock how old it is."""

    by: str
    version: str
    free: bool
    since: datetime
    age: timedelta
    etag: str


@contextmanager
def promotion_lock(
    bucket: str, *, by: str, version: str, region: str | None = None, expires: timedelta = EXPIRES
) -> Iterator[None]:
    """Hold the lock inside the block; a lock that was left by the same person for the same version is taken over.

    Args:
        bucket: of the models.
        by: who asks.
        version: what for.
        region: of the bucket.
        expires: how old a lock is that nobody holds any more.

    Raises:
        DeploymentError: somebody else holds it, or AWS refuses.
    """
    with told("taking the lock of promotions"):
        s3 = client("s3", region)
        etag = _take(s3, bucket, by, version, expires)
    try:
        yield
    finally:
        with suppress(
            ClientError, BotoCoreError
        ):  # lost to somebody who found it expired, or the network is gone: it expires
            s3.put_object(Bucket=bucket, Key=KEY, Body=_body(by, version, free=True), IfMatch=etag)


def _take(s3: Any, bucket: str, by: str, version: str, expires: timedelta) -> str:
    body = _body(by, version, free=False)
    try:
        return str(s3.put_object(Bucket=bucket, Key=KEY, Body=body, IfNoneMatch="*")["ETag"])
    except ClientError as error:
        if error.response["Error"]["Code"] not in _LOST:
            raise
    held = _read(s3, bucket)
    if held.free or held.age > expires or (held.by, held.version) == (by, version):
        try:
            return str(s3.put_object(Bucket=bucket, Key=KEY, Body=body, IfMatch=held.etag)["ETag"])
        except ClientError as error:
            if error.response["Error"]["Code"] not in _LOST:
                raise
            held = _read(s3, bucket)
    ends = held.since + expires
    raise DeploymentError(
        f"{held.by} promotes the model {held.version} since {held.since:%H:%M:%S} UTC: wait until that is done. If it "
        f"was broken off, the lock ends by itself at {ends:%H:%M:%S} UTC."
    )


def _body(by: str, version: str, *, free: bool) -> bytes:
    said = {"by": by, "version": version, "free": free, "token": uuid.uuid4().hex}  # so that no two have one ETag
    return json.dumps(said).encode()


def _read(s3: Any, bucket: str) -> _Held:
    found = s3.get_object(Bucket=bucket, Key=KEY)
    said = json.loads(found["Body"].read())
    now = parsedate_to_datetime(found["ResponseMetadata"]["HTTPHeaders"]["date"])
    since = found["LastModified"]
    return _Held(said["by"], said["version"], bool(said["free"]), since, now - since, found["ETag"])
