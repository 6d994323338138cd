"""What the tests of operations share: an AWS that answers over HTTP on this machine, models, and a few pictures."""

import shutil
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import boto3
import pytest

from tests.loopback_aws import loopback_aws
from tests.skilled_bundle import Skill, write_skilled_bundle
from tests.tiny_run import TINY_IMAGES


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    """The URL of moto's server."""
    with loopback_aws() as url:
        yield url


@pytest.fixture
def aws_endpoint(moto_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The same, with an environment that sends every AWS client to it."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    return moto_url


@pytest.fixture
def bucket(aws_endpoint: str) -> str:
    """A new bucket, because the server keeps its state between tests."""
    name = f"models-{uuid.uuid4().hex}"
    boto3.client("s3").create_bucket(Bucket=name)
    return name


@pytest.fixture(scope="session")
def models(synthetic_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Bundles of good, fair and bad models, by name. Do not change them."""
    folder = tmp_path_factory.mktemp("models")

    def write(name: str, day: int, skill: Skill, *, answers: bool = True, split: str = "1") -> Path:
        made = datetime(2026, 3, day, tzinfo=UTC)
        return write_skilled_bundle(folder / name, synthetic_dir, skill=skill, made=made, answers=answers, split=split)

    return {
        "fair": write("fair", 1, "fair"),
        "good": write("good", 2, "good"),
        "bad": write("bad", 3, "bad"),
        "old": write("old", 4, "good", answers=False),  # from before bundles kept predictions
        "other split": write("other split", 5, "good", split="2"),
    }


@pytest.fixture(scope="session")
def few_pictures(pictures_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with about 84 pictures and their table, of the real set if it is on this machine. Do not change it."""
    from training.data.ham10000 import COLUMNS, read_dataset
    from training.data.layout import METADATA
    from training.data.split import sample_lesions

    sample = sample_lesions(read_dataset(pictures_dir), TINY_IMAGES, seed=42)
    folder = tmp_path_factory.mktemp("few") / "pictures"
    (folder / "images").mkdir(parents=True)
    sample.rows.loc[:, list(COLUMNS)].to_csv(folder / METADATA, index=False)
    for path in sample.rows["path"]:
        shutil.copy(path, folder / "images")
    return folder
