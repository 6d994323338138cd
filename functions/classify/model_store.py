"""Bring the bundle that MODEL_URI names to this machine, and refuse it unless every byte is the one published."""

import contextlib
import os
import shutil
import tempfile
import urllib.parse
from pathlib import Path
from typing import Protocol

from contract.bundle import MANIFEST, MODEL, REFERENCE, Manifest, check_file, parse_manifest
from contract.errors import BundleError, ModelUnavailableError
from functions.classify.settings import Settings

SERVED_FILES = (MODEL, REFERENCE)  # the rest of a bundle is for people
CONNECT_TIMEOUT_S, READ_TIMEOUT_S, RETRIES = 2.0, 10.0, 3


class Source(Protocol):
    """Where a bundle's files come from."""

    def fetch(self, name: str, target: Path) -> None:
        """Write the file `name` of the bundle to `target`."""


def fetch_bundle(settings: Settings) -> tuple[Path, Manifest]:
    """Fetch what serving needs of a bundle, verify it, and return its folder and manifest.

    A bundle that an earlier call has verified is taken from the cache, after its files were checked again.

    Raises:
        ModelUnavailableError: no model is set, or it cannot be fetched.
        BundleError: the bundle is not whole, or not one that this code serves.
    """
    if settings.model_uri is None:
        raise ModelUnavailableError("No model has been deployed yet. Promote one, and try again.")
    source = _source(settings)
    settings.model_cache.mkdir(parents=True, exist_ok=True)
    arriving = Path(tempfile.mkdtemp(prefix=".arriving-", dir=settings.model_cache))
    try:
        source.fetch(MANIFEST, arriving / MANIFEST)
        manifest = parse_manifest((arriving / MANIFEST).read_bytes())
        folder = settings.model_cache / manifest.version
        if _is_whole(folder, manifest):
            return folder, manifest
        for name in SERVED_FILES:
            source.fetch(name, arriving / name)
            check_file(arriving / name, name, manifest.files[name])
        shutil.rmtree(folder, ignore_errors=True)
        with contextlib.suppress(OSError):  # another process of this machine was first with the same version
            arriving.rename(folder)
        if not _is_whole(folder, manifest):
            raise ModelUnavailableError("The model could not be stored on this machine. Try again.")
        return folder, manifest
    finally:
        shutil.rmtree(arriving, ignore_errors=True)


def _is_whole(folder: Path, manifest: Manifest) -> bool:
    try:
        if parse_manifest((folder / MANIFEST).read_bytes()) != manifest:
            return False
        for name in SERVED_FILES:
            check_file(folder / name, name, manifest.files[name])
    except (FileNotFoundError, BundleError):
        return False
    return True


def _source(settings: Settings) -> Source:
    uri = urllib.parse.urlsplit(settings.model_uri or "")
    if uri.scheme == "file" and not uri.netloc:
        return FileSource(Path(urllib.parse.unquote(uri.path)))
    if uri.scheme == "s3" and uri.netloc and uri.path.strip("/"):
        return S3Source(uri.netloc, uri.path.strip("/"), region=settings.region, endpoint_url=settings.s3_endpoint_url)
    raise ModelUnavailableError("MODEL_URI must be s3://bucket/models/<version> or file:///folder.")


class FileSource:
    """A bundle in a folder of this machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def fetch(self, name: str, target: Path) -> None:
        """Link the file where that is possible, else copy it."""
        try:
            os.link(self._folder / name, target)
        except FileNotFoundError as error:
            raise ModelUnavailableError(f"There is no {name} where MODEL_URI says that the model lies.") from error
        except OSError:  # another file system
            shutil.copyfile(self._folder / name, target)


class S3Source:
    """A bundle in S3, read with signed GETs of our own: loading boto3's service model costs more than the model."""

    def __init__(self, bucket: str, prefix: str, *, region: str, endpoint_url: str | None) -> None:
        self._prefix, self._region = prefix, region
        if endpoint_url:
            self._base_url = f"{endpoint_url.rstrip('/')}/{bucket}"
        elif "." in bucket:  # its name would not match S3's certificate
            self._base_url = f"https://s3.{region}.amazonaws.com/{bucket}"
        else:
            self._base_url = f"https://{bucket}.s3.{region}.amazonaws.com"

    def fetch(self, name: str, target: Path) -> None:
        """Stream one object to a file."""
        import urllib3

        url = f"{self._base_url}/{urllib.parse.quote(f'{self._prefix}/{name}')}"
        retries = urllib3.Retry(RETRIES, backoff_factor=0.2, status_forcelist=(500, 502, 503, 504), redirect=0)
        timeout = urllib3.Timeout(connect=CONNECT_TIMEOUT_S, read=READ_TIMEOUT_S)
        try:
            with urllib3.PoolManager(retries=retries, timeout=timeout) as pool:
                answer = pool.request("GET", url, headers=self._signed_headers(url), preload_content=False)
                if answer.status != 200:
                    raise ModelUnavailableError(f"S3 answered {answer.status} when asked for the model's {name}.")
                with target.open("wb") as file:
                    shutil.copyfileobj(answer, file, 1 << 20)
        except urllib3.exceptions.HTTPError as error:
            raise ModelUnavailableError(f"The model's {name} could not be fetched from S3. Try again.") from error

    def _signed_headers(self, url: str) -> dict[str, str]:
        import botocore.session
        from botocore.auth import S3SigV4Auth
        from botocore.awsrequest import AWSRequest

        credentials = botocore.session.Session().get_credentials()
        if credentials is None:
            raise ModelUnavailableError("There are no AWS credentials to read the model with.")
        request = AWSRequest("GET", url)
        S3SigV4Auth(credentials, "s3", self._region).add_auth(request)
        return dict(request.headers.items())
