"""Put a finished bundle where serving finds it: an S3 bucket, or a folder of this machine."""

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

import boto3
from boto3.exceptions import S3UploadFailedError
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from contract.bundle import MANIFEST, Manifest, key_of, read_bundle
from contract.errors import InvalidUriError, TrainingError
from contract.s3_uri import S3Uri

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CONTENT_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
    ".md": "text/markdown; charset=utf-8",
    ".png": "image/png",
}


def publish(bundle: Path, models_uri: str) -> str:
    """Copy a bundle to `<models_uri>/models/<version>/`, the manifest last: a version without one is no version.

    Publishing the same bundle again does no harm. AWS's own environment variables, AWS_ENDPOINT_URL among them, say
    which S3 and who asks.

    Args:
        bundle: the folder of one version.
        models_uri: "s3://<bucket>" or "file:///<folder>".

    Returns:
        the version's own URI, "s3://<bucket>/models/<version>" or "file:///<folder>/models/<version>".

    Raises:
        BundleError: the bundle is not whole, or not the one that its manifest describes; nothing was copied.
        InvalidUriError: `models_uri` is neither.
        TrainingError: the place cannot be written to; there is no manifest there then, unless it had one before.
    """
    manifest = read_bundle(bundle)
    parts = urlsplit(models_uri)
    if parts.scheme == "s3" and not (place := S3Uri.parse(models_uri)).key:
        return _publish_to_s3(bundle, manifest, place.bucket)
    if parts.scheme == "file" and parts.netloc in ("", "localhost") and parts.path:
        return _publish_to_folder(bundle, manifest, Path(unquote(parts.path)))
    raise InvalidUriError(f"Models cannot be published to {models_uri}: name s3://<bucket> or file:///<folder>.")


def _publish_to_s3(bundle: Path, manifest: Manifest, bucket: str) -> str:
    try:
        client: S3Client = boto3.Session().client("s3", config=Config(connect_timeout=5, retries={"max_attempts": 3}))
        client.head_bucket(Bucket=bucket)
        for name in (*manifest.files, MANIFEST):
            extra = {"ContentType": CONTENT_TYPES.get(Path(name).suffix, "application/octet-stream")}
            client.upload_file(str(bundle / name), bucket, key_of(manifest.version, name), ExtraArgs=extra)
    except ClientError as error:
        raise TrainingError(_refusal(error, bucket)) from error
    except (BotoCoreError, S3UploadFailedError, ValueError) as error:
        raise TrainingError(
            f"The model cannot be published to s3://{bucket}: {str(error).rstrip('.')}. Check the region, the "
            "credentials and the network, and publish it again."
        ) from error
    return f"s3://{bucket}/{key_of(manifest.version)}"


def _refusal(error: ClientError, bucket: str) -> str:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    if status == 404:
        return f"There is no bucket {bucket} to publish to: create it, or name another."
    if status == 403:
        return f"The bucket {bucket} refuses these credentials: allow them s3:ListBucket and s3:PutObject on it."
    code = error.response.get("Error", {}).get("Code", "an error")
    return f"The bucket {bucket} cannot be written to: S3 answers {code}. Publish the model again."


def _publish_to_folder(bundle: Path, manifest: Manifest, root: Path) -> str:
    """Copy beside the target and rename: whoever looks sees the whole version or none."""
    target = root / key_of(manifest.version)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if (target / MANIFEST).exists():
            read_bundle(target)
            return target.absolute().as_uri()
        with tempfile.TemporaryDirectory(prefix=".arriving-", dir=target.parent) as arriving:
            copy = Path(arriving) / target.name
            for name in (*manifest.files, MANIFEST):
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(bundle / name, copy / name)
            copy.rename(target)
    except OSError as error:
        raise TrainingError(f"The model cannot be published to {root}: {error.strerror or error}.") from error
    return target.absolute().as_uri()
