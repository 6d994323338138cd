"""The address of an object or a prefix in S3: `s3://bucket/key`. Every S3 URI is read here."""

import re
from typing import Final, NamedTuple

from contract.errors import InvalidUriError

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


class S3Uri(NamedTuple):
    """One address; `str()` returns the URI."""

    bucket: str
    key: str  # without a slash at its start; "" is the whole bucket

    @classmethod
    def parse(cls, text: str) -> "S3Uri":
        """Split `s3://bucket/key`.

        Raises:
            InvalidUriError: it is not an S3 URI, or no bucket can have that name.
        """
        scheme, separator, rest = text.partition("://")
        bucket, _, key = rest.partition("/")
        if scheme != "s3" or not separator or not _BUCKET.fullmatch(bucket):
            raise InvalidUriError(f"{text} is not an S3 URI: write it as in s3://bucket/folder.")
        return cls(bucket, key.lstrip("/"))

    @property
    def prefix(self) -> str:
        """The key as the prefix of a folder: it ends in a slash, or is empty for the whole bucket."""
        return f"{self.key.rstrip('/')}/" if self.key else ""

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}" if self.key else f"s3://{self.bucket}"
