"""Fetches the bundle that MODEL_URI names, and refuses it if a file does not have the published hash."""

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

SERVED_FILES = (MODEL, REFERENCE)  # the other files of a bundle are for people


class Source(Protocol):
    """The place from which a bundle is fetched."""

    def fetch(self, name: str, target: Path) -> None:
        """Write the file `name` of the bundle to `target`."""


def fetch_bundle(settings: Settings) -> tuple[Path, "Manifest"]:
    """Fetch the files of a bundle that serving needs, verify them, and return their folder and the manifest.

    A bundle in the cache is verified again and not fetched.

    Raises:
        ModelUnavailableError: no model is set, or it cannot be fetched.
        BundleError: the bundle is incomplete or damaged, or this code cannot serve it.
    """
    if settings.model_uri is None:
        raise ModelUnavailableError("No model has been deployed yet. Promote one, and try again.")
    try:
        is_cached = (settings.model_cache / settings.model_uri.rstrip("/").rpartition("/")[2]).is_dir()
        return _fetch(_source(settings), settings.model_cache, prefetch=() if is_cached else SERVED_FILES)
    except OSError as error:
        raise ModelUnavailableError(
            f"The model cannot be stored on this machine ({error.strerror}). Give the function more ephemeral storage."
        ) from error


def _fetch(source: Source, cache: Path, *, prefetch: Sequence[str]) -> tuple[Path, "Manifest"]:
    cache.mkdir(parents=True, exist_ok=True)
    incoming = Path(tempfile.mkdtemp(prefix=".incoming-", dir=cache))
    try:
        for name in (MANIFEST, *prefetch):
            source.fetch(name, incoming / name)
        # this imports pydantic, which the main thread may be importing at the same time
        from contract.bundle import check_file, parse_manifest

        manifest = parse_manifest((incoming / MANIFEST).read_bytes())
        folder = cache / manifest.version
        if _is_valid(folder, manifest):
            return folder, manifest
        for name in SERVED_FILES:
            if name not in prefetch:
                source.fetch(name, incoming / name)
            check_file(incoming / name, name, manifest.files[name])
        try:
            incoming.rename(folder)
        except OSError:  # the folder exists: it is damaged, or another process was faster
            if not _is_valid(folder, manifest):
                shutil.rmtree(folder, ignore_errors=True)
                incoming.rename(folder)
        return folder, manifest
    finally:
        shutil.rmtree(incoming, ignore_errors=True)


def _is_valid(folder: Path, manifest: "Manifest") -> bool:
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
    from functions.classify.s3 import S3  # imports TLS, which a bundle in a folder does not need

    s3 = S3(region=settings.region, endpoint_url=settings.s3_endpoint_url)
    return S3Source(s3, bucket, key.rstrip("/"))


class FileSource:
    """A bundle in a folder of this machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def fetch(self, name: str, target: Path) -> None:
        """Make a hard link where that is possible, else copy the file."""
        try:
            os.link(self._folder / name, target)
        except FileNotFoundError as error:
            raise ModelUnavailableError(f"There is no {name} in the folder that MODEL_URI names.") from error
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
