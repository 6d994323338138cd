"""Publish a finished bundle where serving finds it: in an S3 bucket, or in a folder of this machine."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from boto3.exceptions import S3UploadFailedError
from botocore.exceptions import BotoCoreError, ClientError

from contract.bundle import MANIFEST, Manifest, key_of, read_bundle
from contract.errors import InvalidUriError, TrainingError
from contract.s3_uri import S3Uri
from operations.account import Account
from training.atomic_folder import atomic_folder

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CONTENT_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
    ".md": "text/markdown; charset=utf-8",
    ".png": "image/png",
}


def publish(bundle: Path, models_uri: str, account: Account | None = None) -> str:
    """Copy a bundle to `<models_uri>/models/<version>/`. It can be published again without harm.

    The manifest is copied last: a folder without a manifest is not a version.

    Args:
        bundle: the folder of one version.
        models_uri: "s3://<bucket>" or "file:///<folder>".
        account: of the bucket; None is the account of AWS's environment variables.

    Returns:
        the URI of the version, "s3://<bucket>/models/<version>" or "file:///<folder>/models/<version>".

    Raises:
        BundleError: the bundle is incomplete or does not agree with its manifest; nothing was copied.
        InvalidUriError: `models_uri` has another form.
        TrainingError: the target cannot be written. No manifest was copied there.
    """
    manifest = read_bundle(bundle)
    parts = urlsplit(models_uri)
    if parts.scheme == "s3" and not (target := S3Uri.parse(models_uri)).key:
        return _publish_to_s3(bundle, manifest, target.bucket, account or Account())
    if parts.scheme == "file" and parts.netloc in ("", "localhost") and parts.path:
        return _publish_to_folder(bundle, manifest, Path(unquote(parts.path)))
    raise InvalidUriError(f"Models cannot be published to {models_uri}: name s3://<bucket> or file:///<folder>.")


def _publish_to_s3(bundle: Path, manifest: Manifest, bucket: str, account: Account) -> str:
    try:
        s3: S3Client = account.client("s3")
        s3.head_bucket(Bucket=bucket)
        for name in (*manifest.files, MANIFEST):
            extra = {"ContentType": CONTENT_TYPES.get(Path(name).suffix, "application/octet-stream")}
            s3.upload_file(str(bundle / name), bucket, key_of(manifest.version, name), ExtraArgs=extra)
    except ClientError as error:
        raise TrainingError(_describe_error(error, bucket)) from error
    except (BotoCoreError, S3UploadFailedError, ValueError) as error:
        raise TrainingError(
            f"The model cannot be published to s3://{bucket}: {str(error).rstrip('.')}. Check the region, the "
            "credentials and the network, and publish it again."
        ) from error
    return f"s3://{bucket}/{key_of(manifest.version)}"


def _describe_error(error: ClientError, bucket: str) -> str:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    if status == 404:
        return f"There is no bucket {bucket} to publish to: create it, or name another."
    if status == 403:
        return f"The bucket {bucket} refuses these credentials: allow them s3:ListBucket and s3:PutObject on it."
    code = error.response.get("Error", {}).get("Code", "an error")
    return f"The bucket {bucket} cannot be written to: S3 answers {code}. Publish the model again."


def _publish_to_folder(bundle: Path, manifest: Manifest, root: Path) -> str:
    target = root / key_of(manifest.version)
    try:
        if (target / MANIFEST).exists():
            read_bundle(target)
            return target.absolute().as_uri()
        with atomic_folder(target, replace=True) as copy:
            for name in (*manifest.files, MANIFEST):
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(bundle / name, copy / name)
    except OSError as error:
        raise TrainingError(f"The model cannot be published to {root}: {error.strerror or error}.") from error
    return target.absolute().as_uri()
