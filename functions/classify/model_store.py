"""Bring the bundle that MODEL_URI names to this machine, and refuse it unless every byte is the one published."""

import os
import shutil
import tempfile
import urllib.parse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from contract.errors import (
    BundleError,
    InvalidUriError,
    MissingObjectError,
    ModelUnavailableError,
    StorageUnavailableError,
)
from contract.layout import MANIFEST, MODEL, REFERENCE
from contract.s3_uri import S3Uri
from functions.classify.settings import Settings

if TYPE_CHECKING:
    from contract.bundle import Manifest
    from functions.classify.s3 import S3

SERVED_FILES = (MODEL, REFERENCE)  # the rest of a bundle is for people


class Source(Protocol):
    """Where a bundle's files come from."""

    def fetch(self, name: str, target: Path) -> None:
        """Write the file `name` of the bundle to `target`."""


def fetch_bundle(settings: Settings) -> tuple[Path, "Manifest"]:
    """Fetch what serving needs of a bundle, verify it, and return its folder and manifest.

    A bundle that an earlier call has verified is taken from the cache, after its files were checked again.

    Raises:
        ModelUnavailableError: no model is set, or it cannot be fetched.
        BundleError: the bundle is not whole, or not one that this code serves.
    """
    if settings.model_uri is None:
        raise ModelUnavailableError("No model has been deployed yet. Promote one, and try again.")
    try:
        cached = (settings.model_cache / settings.model_uri.rstrip("/").rpartition("/")[2]).is_dir()
        return _fetch(_source(settings), settings.model_cache, ahead=() if cached else SERVED_FILES)
    except OSError as error:
        raise ModelUnavailableError(
            f"The model cannot be stored on this machine ({error.strerror}). Give the function more ephemeral storage."
        ) from error


def _fetch(source: Source, cache: Path, *, ahead: Sequence[str]) -> tuple[Path, "Manifest"]:
    cache.mkdir(parents=True, exist_ok=True)
    arriving = Path(tempfile.mkdtemp(prefix=".arriving-", dir=cache))
    try:
        for name in (MANIFEST, *ahead):
            source.fetch(name, arriving / name)
        from contract.bundle import check_file, parse_manifest  # and pydantic, which may be on its way meanwhile

        manifest = parse_manifest((arriving / MANIFEST).read_bytes())
        folder = cache / manifest.version
        if _is_whole(folder, manifest):
            return folder, manifest
        for name in SERVED_FILES:
            if name not in ahead:
                source.fetch(name, arriving / name)
            check_file(arriving / name, name, manifest.files[name])
        try:
            arriving.rename(folder)
        except OSError:  # a damaged one is in the way, unless another process of this machine has just been first
            if not _is_whole(folder, manifest):
                shutil.rmtree(folder, ignore_errors=True)
                arriving.rename(folder)
        return folder, manifest
    finally:
        shutil.rmtree(arriving, ignore_errors=True)


def _is_whole(folder: Path, manifest: "Manifest") -> bool:
    from contract.bundle import check_file, parse_manifest

    try:
        if parse_manifest((folder / MANIFEST).read_bytes()) != manifest:
            return False
        for name in SERVED_FILES:
            check_file(folder / name, name, manifest.files[name])
    except (FileNotFoundError, BundleError):
        return False
    return True


def _source(settings: Settings) -> Source:
    model_uri = settings.model_uri or ""
    try:
        if model_uri.startswith("file:///"):
            return FileSource(Path(urllib.parse.unquote(model_uri.removeprefix("file://"))))
        bucket, key = S3Uri.parse(model_uri)
        if not key:
            raise InvalidUriError(f"{model_uri} names no version.")
    except InvalidUriError as error:
        raise ModelUnavailableError("MODEL_URI must be s3://bucket/models/<version> or file:///folder.") from error
    from functions.classify.s3 import S3  # and with it TLS: not for a bundle in a folder

    s3 = S3(region=settings.region, endpoint_url=settings.s3_endpoint_url)
    return S3Source(s3, bucket, key.rstrip("/"))


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
    """A bundle in S3."""

    def __init__(self, s3: "S3", bucket: str, prefix: str) -> None:
        self._s3, self._bucket, self._prefix = s3, bucket, prefix

    def fetch(self, name: str, target: Path) -> None:
        """Stream one object to a file."""
        try:
            self._s3.download(self._bucket, f"{self._prefix}/{name}", target)
        except (MissingObjectError, StorageUnavailableError) as error:
            raise ModelUnavailableError(f"The model cannot be fetched. {error}") from error
