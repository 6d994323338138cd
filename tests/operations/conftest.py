"""An S3 that answers over HTTP on this machine, for the tests of operations."""

import uuid
from collections.abc import Iterator

import boto3
import pytest

from tests.loopback_aws import loopback_aws


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    """The URL of an AWS that answers over HTTP, on this machine alone."""
    with loopback_aws() as url:
        yield url


@pytest.fixture
def aws_endpoint(moto_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """That AWS, with an environment that leads every client to it."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    return moto_url


@pytest.fixture
def bucket(aws_endpoint: str) -> str:
    """A bucket of the test's own, for the server keeps its state."""
    name = f"models-{uuid.uuid4().hex}"
    boto3.client("s3").create_bucket(Bucket=name)
    return name
