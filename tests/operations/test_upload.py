"""A set in S3 is complete once its table is there, and an interrupted upload continues."""

import os
import uuid
from pathlib import Path

import boto3
import pytest

from contract.errors import DeploymentError, InvalidUriError
from contract.s3_uri import S3Uri
from operations.account import Account
from operations.upload import upload
from training.data.ham10000 import Dataset, read_dataset
from training.data.layout import METADATA


@pytest.fixture
def target(bucket: str) -> str:
    return f"s3://{bucket}/sets/{uuid.uuid4().hex}"


@pytest.fixture(scope="module")
def dataset(synthetic_dir: Path) -> Dataset:
    return read_dataset(synthetic_dir)


def keys_under(uri: str) -> set[str]:
    target = S3Uri.parse(uri)
    listed = boto3.client("s3").list_objects_v2(Bucket=target.bucket, Prefix=target.prefix).get("Contents", [])
    return {entry["Key"].removeprefix(target.prefix) for entry in listed}


def test_all_pictures_and_the_table_are_uploaded(dataset: Dataset, target: str) -> None:
    progress: list[tuple[str, int, int]] = []
    pictures = {f"images/{path.name}" for path in (dataset.folder / "images").iterdir()}
    uploaded = upload(dataset, target, Account(), on_progress=lambda *report: progress.append(report))
    assert uploaded == len(pictures)
    assert keys_under(target) == pictures | {METADATA}
    assert progress[-1] == ("uploading pictures", uploaded, uploaded)


def test_pictures_already_in_s3_are_not_uploaded_again(dataset: Dataset, target: str) -> None:
    upload(dataset, target, Account())
    uploaded = S3Uri.parse(target)
    lost = min((dataset.folder / "images").iterdir()).name
    boto3.client("s3").delete_object(Bucket=uploaded.bucket, Key=f"{uploaded.prefix}images/{lost}")
    assert upload(dataset, target, Account()) == 1


def test_the_table_is_uploaded_after_its_pictures(
    dataset: Dataset, target: str, moto_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.operations.registry.test_publish import s3_that_fails_after

    with s3_that_fails_after(moto_url, uploads=5) as broken_url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", broken_url)
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        with pytest.raises(DeploymentError, match=f"Uploading to {target} failed"):
            upload(dataset, target, Account())
        monkeypatch.setenv("AWS_ENDPOINT_URL", moto_url)
    assert METADATA not in keys_under(target)


def test_a_target_outside_s3_is_refused(dataset: Dataset, aws_endpoint: str) -> None:
    with pytest.raises(InvalidUriError, match="is not an S3 URI"):
        upload(dataset, os.devnull, Account())
