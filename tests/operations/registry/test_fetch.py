"""A version is downloaded completely, or not at all."""

from pathlib import Path

import boto3
import pytest

from contract.bundle import MODEL, read_bundle
from contract.errors import BundleError, DeploymentError, InvalidUriError
from operations.account import Account
from operations.registry.fetch import fetch_bundle
from operations.registry.publish import publish
from tests.tiny_bundle import write_tiny_bundle


@pytest.fixture
def made(tmp_path: Path) -> Path:
    return write_tiny_bundle(tmp_path / "made")


@pytest.fixture
def model_uri(made: Path, bucket: str) -> str:
    return publish(made, f"s3://{bucket}")


def test_the_download_is_the_published_bundle(made: Path, model_uri: str, tmp_path: Path) -> None:
    folder = fetch_bundle(model_uri, tmp_path / "cache", Account())
    assert folder == tmp_path / "cache" / made.name
    assert read_bundle(folder) == read_bundle(made)


def test_a_cached_bundle_is_used_unless_a_fresh_one_is_wanted(model_uri: str, bucket: str, tmp_path: Path) -> None:
    fetch_bundle(model_uri, tmp_path, Account())
    boto3.client("s3").put_object(Bucket=bucket, Key=f"models/{model_uri[-25:]}/{MODEL}", Body=b"spoilt")
    assert read_bundle(fetch_bundle(model_uri, tmp_path, Account()))
    with pytest.raises(BundleError, match=r"model\.onnx is not the file"):
        fetch_bundle(model_uri, tmp_path, Account(), fresh=True)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_damaged_bundle_in_the_cache_is_downloaded_again(model_uri: str, tmp_path: Path) -> None:
    folder = fetch_bundle(model_uri, tmp_path, Account())
    (folder / MODEL).write_bytes(b"spoilt")
    assert read_bundle(fetch_bundle(model_uri, tmp_path, Account()))


def test_a_missing_manifest_is_an_error_with_advice(model_uri: str, bucket: str, tmp_path: Path) -> None:
    boto3.client("s3").delete_object(Bucket=bucket, Key=f"models/{model_uri[-25:]}/manifest.json")
    with pytest.raises(DeploymentError, match=r"no manifest\.json in s3://.*interrupted.*Publish it again"):
        fetch_bundle(model_uri, tmp_path, Account())


def test_a_missing_file_is_named(model_uri: str, bucket: str, tmp_path: Path) -> None:
    boto3.client("s3").delete_object(Bucket=bucket, Key=f"models/{model_uri[-25:]}/{MODEL}")
    with pytest.raises(BundleError, match=r"lacks model\.onnx"):
        fetch_bundle(model_uri, tmp_path, Account())


def test_a_bundle_of_a_newer_schema_is_refused(made: Path, model_uri: str, bucket: str, tmp_path: Path) -> None:
    newer = (made / "manifest.json").read_text().replace('"schema_version": 1', '"schema_version": 2')
    boto3.client("s3").put_object(Bucket=bucket, Key=f"models/{made.name}/manifest.json", Body=newer.encode())
    with pytest.raises(BundleError, match=r"not valid at schema_version"):
        fetch_bundle(model_uri, tmp_path, Account())


def test_a_version_under_the_name_of_another_is_refused(made: Path, bucket: str, tmp_path: Path) -> None:
    text = (made / "manifest.json").read_bytes()
    boto3.client("s3").put_object(Bucket=bucket, Key="models/20200101T000000Z-00000000/manifest.json", Body=text)
    with pytest.raises(BundleError, match="contains another model"):
        fetch_bundle(f"s3://{bucket}/models/20200101T000000Z-00000000", tmp_path, Account())


@pytest.mark.parametrize(
    ("uri", "reason"),
    [("file:///folder", "is not an S3 URI"), ("s3://bucket", "names no model"), ("nonsense", "is not an S3 URI")],
)
def test_a_uri_that_is_not_of_a_model_is_refused(uri: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidUriError, match=f"{uri} {reason}"):
        fetch_bundle(uri, tmp_path, Account())


def test_a_missing_bucket_is_named(aws_endpoint: str, tmp_path: Path) -> None:
    with pytest.raises(DeploymentError, match="Fetching s3://no-such-bucket/models/x failed"):
        fetch_bundle("s3://no-such-bucket/models/x", tmp_path, Account())
