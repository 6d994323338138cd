"""HAM10000 from its archive of record to a folder that training reads."""

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contract.errors import DatasetError
from training.atomic_folder import refuse_nonempty
from training.data.published.archive import Unpacked, check_space, unpack
from training.data.published.dataverse import HOST, READ_TIMEOUT_S, connect, list_published
from training.data.published.download import PAUSE_S, download
from training.progress import OnProgress


def fetch(
    folder: Path,
    base_url: str = HOST,
    on_progress: OnProgress | None = None,
    *,
    pause_s: float = PAUSE_S,
    read_timeout_s: float = READ_TIMEOUT_S,
) -> Unpacked:
    """Download the table and the pictures, verify them, and unpack them; the caller shows the licence first.

    What has arrived is kept in `.<folder>.download` beside `folder` until all of it is unpacked, so that an
    interrupted run goes on where it stopped. At its largest it takes twice the room of the pictures.

    Args:
        folder: where the set shall be; made, with the folders above it, unless it is there and empty.
        base_url: scheme and host of the Dataverse installation that holds the archive.
        on_progress: called with what is being done, how many are done, of how many.
        pause_s: before a download that failed is tried again; doubled each time.
        read_timeout_s: how long the archive may stay silent.

    Raises:
        FetchError: the archive cannot be reached, or does not hand out what it promises.
        DatasetError: the folder is not empty, another process fetches it, the disk has too little space, or what was
            downloaded is not a set that can be read.
        OSError: it cannot be written.
    """
    folder = folder.absolute()
    refuse_nonempty(folder)
    downloads = folder.parent / f".{folder.name}.download"
    with connect(base_url, read_timeout_s) as pool:
        remotes = list_published(pool, base_url)
        sizes = sum(remote.size_bytes or 0 for remote in remotes)
        arrived = sum(file.stat().st_size for file in downloads.iterdir()) if downloads.is_dir() else 0
        check_space(folder.parent, 2 * sizes - min(arrived, sizes))
        downloads.mkdir(parents=True, exist_ok=True)
        with _locked(downloads):
            files = [download(pool, remote, downloads, on_progress, pause_s) for remote in remotes]
            unpacked = unpack(files, folder, on_progress)
            shutil.rmtree(downloads)
    return unpacked


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep a second process from writing to the same files; the lock goes with the process that holds it."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        if error.errno not in (errno.EAGAIN, errno.EACCES):
            raise
        raise DatasetError(f"Another process is downloading into {folder}: wait until it is done.") from error
    try:
        yield
    finally:
        os.close(handle)
