"""Bring a version's bundle from S3 to this machine, every byte as it was published."""

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contract.bundle import MANIFEST, Manifest, parse_manifest, read_bundle
from contract.errors import BundleError, DeploymentError, InvalidUriError
from contract.s3_uri import S3Uri
from operations.aws import client, told

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def fetch_bundle(model_uri: str, cache: Path, *, region: str | None = None, fresh: bool = False) -> Path:
    """Download a bundle and verify it whole: hashes, lengths, labels and schema.

    Args:
        model_uri: "s3://<bucket>/models/<version>".
        cache: where bundles are kept, a folder for each version; made if need be.
        region: of the bucket.
        fresh: look at S3 again, even if the version is in the cache: what counts is what will be served.

    Returns:
        its folder in the cache.

    Raises:
        BundleError: it is not whole, or of another schema than this code's; nothing was kept of it.
        DeploymentError: there is none, or AWS refuses.
        InvalidUriError: `model_uri` is not the S3 URI of a version.
    """
    bucket, key = S3Uri.parse(model_uri)
    if not (prefix := key.rstrip("/")):
        raise InvalidUriError(f"{model_uri} names no model: it must be s3://<bucket>/models/<version>.")
    cache.mkdir(parents=True, exist_ok=True)
    with told(f"fetching {model_uri}"):
        s3 = client("s3", region)
        manifest = _read_manifest(s3, bucket, prefix, model_uri)
        folder = cache / manifest.version
        if not fresh and _is_whole(folder, manifest):
            return folder
        with tempfile.TemporaryDirectory(prefix=".arriving-", dir=cache) as arriving:
            copy = Path(arriving) / manifest.version
            for name in (*manifest.files, MANIFEST):
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                _download(s3, bucket, f"{prefix}/{name}", copy / name)
            read_bundle(copy)
            shutil.rmtree(folder, ignore_errors=True)
            copy.rename(folder)
    return folder


def _read_manifest(s3: "S3Client", bucket: str, prefix: str, model_uri: str) -> Manifest:
    try:
        text = s3.get_object(Bucket=bucket, Key=f"{prefix}/{MANIFEST}")["Body"].read()
    except s3.exceptions.NoSuchKey as error:
        raise DeploymentError(
            f"There is no {MANIFEST} in {model_uri}: its upload was interrupted, or it was removed. Publish it again."
        ) from error
    manifest = parse_manifest(text)
    if not model_uri.rstrip("/").endswith(manifest.version):
        raise BundleError(f"{model_uri} holds the model {manifest.version}, which belongs elsewhere. Publish it again.")
    return manifest


def _download(s3: "S3Client", bucket: str, key: str, target: Path) -> None:
    try:
        body: Any = s3.get_object(Bucket=bucket, Key=key)["Body"]
    except s3.exceptions.NoSuchKey as error:
        raise BundleError(f"The model bundle lacks {Path(key).name}. Publish the model again.") from error
    with target.open("wb") as opened:
        shutil.copyfileobj(body, opened, 1 << 20)


def _is_whole(folder: Path, manifest: Manifest) -> bool:
    try:
        return read_bundle(folder) == manifest
    except BundleError:
        return False
