"""What the tests of training stand on: one tiny run, made once, and an S3 that answers over HTTP on this machine."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest

from tests.loopback_aws import loopback_aws
from tests.training.small_classifier import small_classifier

if TYPE_CHECKING:
    from training.model import Classifier
    from training.train import TrainedModel

TINY_SIZE = 64  # pixels: the last feature map is 2 x 2
TINY_IMAGES = 84


@dataclass(frozen=True, eq=False)
class TinyRun:
    """A finished run and what it told while it went."""

    trained: "TrainedModel"
    out: Path
    cache: Path
    lines: list[str] = field(default_factory=list)
    progress: list[tuple[str, int, int]] = field(default_factory=list)


@pytest.fixture(scope="session")
def tiny_run(pictures_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> TinyRun:
    """One epoch over a few pictures, from fresh weights to a bundle."""
    from training.config import TrainingConfig
    from training.train import train

    config = TrainingConfig(
        size=TINY_SIZE, weights="none", images=TINY_IMAGES, batch_size=16, head_epochs=1, fine_tune_epochs=0
    )
    out, cache = tmp_path_factory.mktemp("models"), tmp_path_factory.mktemp("cache")
    lines: list[str] = []
    progress: list[tuple[str, int, int]] = []
    trained = train(
        config,
        pictures_dir,
        out,
        cache=cache,
        job="tiny",
        on_progress=lambda *report: progress.append(report),
        say=lines.append,
    )
    return TinyRun(trained, out, cache, lines, progress)


@pytest.fixture(scope="session")
def classifier() -> "Classifier":
    """The network at its smallest, whose answers differ from picture to picture: leave it as it is."""
    return small_classifier(TINY_SIZE)


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
