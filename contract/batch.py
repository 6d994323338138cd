"""The messages of a batch run over many pictures in S3.

A run is one execution of a Step Functions state machine. Its distributed map lists the pictures below a prefix
(`ItemReader`, s3:listObjectsV2), passes them to the function in batches (`ItemBatcher`), and retries a failed batch.
The function writes the rows of each batch to its own object. The key depends only on the pictures, so a retried batch
leaves one copy.
https://docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html
"""

import hashlib
from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from contract.api import Message

MAX_ITEMS = 100  # of one batch: the function needs much less than its timeout for them, on one vCPU

Bucket = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")]


class S3Location(Message):
    """A location in S3: all objects of a bucket whose key starts with the prefix."""

    bucket: Bucket
    prefix: str = ""


class BatchRun(Message):
    """The input of an execution: where the pictures are, and where their rows go."""

    source: S3Location
    results: S3Location


class BatchItem(BaseModel):
    """One object as S3 lists it; its size, tag and date are ignored."""

    model_config = ConfigDict(frozen=True)

    key: Annotated[str, Field(alias="Key", min_length=1, max_length=1024)]


class Batch(BaseModel):
    """The event of the function: the run, and the pictures of this batch."""

    model_config = ConfigDict(frozen=True)

    run: Annotated[BatchRun, Field(alias="BatchInput")]
    items: Annotated[tuple[BatchItem, ...], Field(alias="Items", min_length=1, max_length=MAX_ITEMS)]


class BatchAnswer(Message):
    """The answer of the function; it is small because an execution keeps the answers of all batches."""

    results_key: str  # of the rows: one JSON object per line, with the columns of contract.rows
    pictures: int
    refused: int  # pictures whose row has an error


def results_key(run: BatchRun, keys: Sequence[str]) -> str:
    """Return the key for the rows of a batch: a hash of its pictures."""
    digest = hashlib.sha256("\0".join([run.source.bucket, *keys]).encode()).hexdigest()
    prefix = run.results.prefix.rstrip("/")
    return f"{prefix}/{digest[:32]}.jsonl" if prefix else f"{digest[:32]}.jsonl"
