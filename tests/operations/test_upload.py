"""A set in S3 is whole once its table is there, and an upload that broke off goes on."""

import os
import uuid
from pathlib import Path

import boto3
import pytest

from contract.errors import DeploymentError, InvalidUriError
from operations.upload import upload
from training.data.layout import METADATA


@pytest.fixture
def place(bucket: str) -> str:
    return f"s3://{bucket}/sets/{uuid.uuid4().hex}"


def keys_under(uri: str) -> set[str]:
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    listed = boto3.client("s3").list_objects_v2(Bucket=bucket, Prefix=f"{prefix}/").get("Contents", [])
    return {entry["Key"].removeprefix(f"{prefix}/") for entry in listed}


def test_every_picture_and_then_the_table_are_there(synthetic_dir: Path, place: str) -> None:
    told: list[tuple[str, int, int]] = []
    pictures = {f"images/{path.name}" for path in (synthetic_dir / "images").iterdir()}
    sent = upload(synthetic_dir, place, on_progress=lambda *report: told.append(report))
    assert sent == len(pictures)
    assert keys_under(place) == pictures | {METADATA}
    assert told[-1] == ("uploading pictures", sent, sent)


def test_what_is_there_already_is_not_sent_again(synthetic_dir: Path, place: str) -> None:
    upload(synthetic_dir, place)
    bucket, _, prefix = place.removeprefix("s3://").partition("/")
    lost = next(iter(sorted((synthetic_dir / "images").iterdir()))).name
    boto3.client("s3").delete_object(Bucket=bucket, Key=f"{prefix}/images/{lost}")
    assert upload(synthetic_dir, place) == 1


def test_a_table_never_comes_before_its_pictures(
    synthetic_dir: Path, place: str, moto_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.operations.registry.test_publish import s3_that_fails_after

    with s3_that_fails_after(moto_url, uploads=5) as broken_url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", broken_url)
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        with pytest.raises(DeploymentError, match=f"Uploading to {place} failed"):
            upload(synthetic_dir, place)
        monkeypatch.setenv("AWS_ENDPOINT_URL", moto_url)
    assert METADATA not in keys_under(place)


def test_what_is_no_place_in_s3_is_told(synthetic_dir: Path, aws_endpoint: str) -> None:
    with pytest.raises(InvalidUriError, match="is not an S3 URI"):
        upload(synthetic_dir, os.devnull)
