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
from operations.account import Account
from operations.aws_errors import aws_errors

KEY: Final = "locks/promotion.json"
EXPIRES: Final = timedelta(minutes=15)  # the steps under the lock take a minute; the canary runs without it
_CONFLICTS: Final = {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"}  # another user was first


@dataclass(frozen=True)
class _Lock:
    """The lock in S3, with its age by S3's clock."""

    by: str
    version: str
    free: bool
    since: datetime
    age: timedelta
    etag: str


@contextmanager
def promotion_lock(
    account: Account, bucket: str, *, by: str, version: str, expires: timedelta = EXPIRES
) -> Iterator[None]:
    """Hold the lock inside the block. A lock that the same user left for the same version is taken over.

    Args:
        account: of the bucket.
        bucket: of the models.
        by: the ARN of the user.
        version: of the model that is promoted.
        expires: the age after which a lock counts as abandoned.

    Raises:
        DeploymentError: another user holds the lock, or AWS refuses.
    """
    with aws_errors("taking the promotion lock"):
        s3 = account.client("s3")
        etag = _take(s3, bucket, by, version, expires)
    try:
        yield
    finally:
        # A failure is harmless: either another user has taken the expired lock, or the lock expires by itself.
        with suppress(ClientError, BotoCoreError):
            s3.put_object(Bucket=bucket, Key=KEY, Body=_body(by, version, free=True), IfMatch=etag)


def _take(s3: Any, bucket: str, by: str, version: str, expires: timedelta) -> str:
    body = _body(by, version, free=False)
    try:
        return str(s3.put_object(Bucket=bucket, Key=KEY, Body=body, IfNoneMatch="*")["ETag"])
    except ClientError as error:
        if error.response["Error"]["Code"] not in _CONFLICTS:
            raise
    lock = _read(s3, bucket)
    if lock.free or lock.age > expires or (lock.by, lock.version) == (by, version):
        try:
            return str(s3.put_object(Bucket=bucket, Key=KEY, Body=body, IfMatch=lock.etag)["ETag"])
        except ClientError as error:
            if error.response["Error"]["Code"] not in _CONFLICTS:
                raise
            lock = _read(s3, bucket)
    raise DeploymentError(
        f"{lock.by} has been promoting the model {lock.version} since {lock.since:%H:%M:%S} UTC: wait until that is "
        f"done. If it was interrupted, its lock expires at {lock.since + expires:%H:%M:%S} UTC."
    )


def _body(by: str, version: str, *, free: bool) -> bytes:
    # the token makes every ETag unique
    return json.dumps({"by": by, "version": version, "free": free, "token": uuid.uuid4().hex}).encode()


def _read(s3: Any, bucket: str) -> _Lock:
    found = s3.get_object(Bucket=bucket, Key=KEY)
    body = json.loads(found["Body"].read())
    now = parsedate_to_datetime(found["ResponseMetadata"]["HTTPHeaders"]["date"])
    since = found["LastModified"]
    return _Lock(body["by"], body["version"], bool(body["free"]), since, now - since, found["ETag"])
