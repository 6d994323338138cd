"""Many pictures in S3: what starts a run, what the function is handed of it, and what it answers.

A run is one execution of a Step Functions state machine whose distributed map lists the pictures below a prefix
(`ItemReader`, s3:listObjectsV2), hands them to the function in batches (`ItemBatcher`), and tries a batch that fails
again. The function writes each batch's rows to an object of its own, whose key the pictures alone decide, so that a
batch tried twice leaves one copy.
https://docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html
"""

import hashlib
from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from contract.api import Message

MAX_ITEMS = 100  # of one batch: what the function answers well within its timeout on one vCPU

Bucket = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")]


class Place(Message):
    """Where objects lie: all whose key starts with the prefix."""

    bucket: Bucket
    prefix: str = ""


class BatchRun(Message):
    """The input of an execution: the pictures below one place, their rows below another."""

    source: Place
    results: Place


class BatchItem(BaseModel):
    """One object as S3 lists it; its size, tag and date do not matter here."""

    model_config = ConfigDict(frozen=True)

    key: Annotated[str, Field(alias="Key", min_length=1, max_length=1024)]


class Batch(BaseModel):
    """The event that the function gets: the run, and the pictures of it that are this batch's."""

    model_config = ConfigDict(frozen=True)

    run: Annotated[BatchRun, Field(alias="BatchInput")]
    items: Annotated[tuple[BatchItem, ...], Field(alias="Items", min_length=1, max_length=MAX_ITEMS)]


class BatchAnswer(Message):
    """What the function answers: few bytes, because an execution keeps the answers of all batches."""

    results_key: str  # of the rows, one JSON object a line, with the columns of contract.rows
    pictures: int
    refused: int  # pictures whose row has an error


def results_key(run: BatchRun, keys: Sequence[str]) -> str:
    """Name the object of a batch's rows after its pictures."""
    digest = hashlib.sha256("\0".join([run.source.bucket, *keys]).encode()).hexdigest()
    prefix = run.results.prefix.rstrip("/")
    return f"{prefix}/{digest[:32]}.jsonl" if prefix else f"{digest[:32]}.jsonl"
