"""Download a version's bundle from S3 to this machine, and verify it."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contract.bundle import MANIFEST, Manifest, parse_manifest, read_bundle
from contract.errors import BundleError, DeploymentError, InvalidUriError
from contract.s3_uri import S3Uri
from operations.account import Account
from operations.aws_errors import aws_errors
from training.atomic_folder import atomic_folder

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def fetch_bundle(model_uri: str, cache: Path, account: Account, *, fresh: bool = False) -> Path:
    """Download a bundle and verify all of it: hashes, lengths, labels and schema.

    Args:
        model_uri: "s3://<bucket>/models/<version>".
        cache: the folder of downloaded bundles, with a folder for each version; made if it is absent.
        account: of the bucket.
        fresh: download it even if the version is in the cache, to verify the files that will be served.

    Returns:
        the folder of the version in the cache.

    Raises:
        BundleError: the bundle is incomplete, or has another schema than this code; nothing of it was kept.
        DeploymentError: there is none, or AWS refuses.
        InvalidUriError: `model_uri` is not the S3 URI of a version.
    """
    bucket, key = S3Uri.parse(model_uri)
    if not (prefix := key.rstrip("/")):
        raise InvalidUriError(f"{model_uri} names no model: it must be s3://<bucket>/models/<version>.")
    with aws_errors(f"fetching {model_uri}"):
        s3 = account.client("s3")
        manifest = _read_manifest(s3, bucket, prefix, model_uri)
        folder = cache / manifest.version
        if fresh or not _has_bundle(folder, manifest):
            with atomic_folder(folder, replace=True) as copy:
                for name in (*manifest.files, MANIFEST):
                    (copy / name).parent.mkdir(parents=True, exist_ok=True)
                    _download(s3, bucket, f"{prefix}/{name}", copy / name)
                read_bundle(copy)
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
        raise BundleError(
            f"{model_uri} contains another model, {manifest.version}. Publish the model again, and copy no folders."
        )
    return manifest


def _download(s3: "S3Client", bucket: str, key: str, target: Path) -> None:
    try:
        body: Any = s3.get_object(Bucket=bucket, Key=key)["Body"]
    except s3.exceptions.NoSuchKey as error:
        raise BundleError(f"The model bundle lacks {Path(key).name}. Publish the model again.") from error
    with target.open("wb") as opened:
        shutil.copyfileobj(body, opened, 1 << 20)


def _has_bundle(folder: Path, manifest: Manifest) -> bool:
    try:
        return read_bundle(folder) == manifest
    except BundleError:
        return False
