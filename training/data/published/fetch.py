"""Bring HAM10000 from its archive of record into a folder that training reads."""

import shutil
from pathlib import Path

from filelock import Timeout

from contract.errors import DatasetError
from training.atomic_folder import refuse_nonempty
from training.data.published.archive import Unpacked, check_space, unpack
from training.data.published.dataverse import HOST, READ_TIMEOUT_S, connect, list_published
from training.data.published.download import PAUSE_S, download
from training.file_lock import lock_file
from training.progress import OnProgress, ignore_progress


def fetch(
    folder: Path,
    base_url: str = HOST,
    on_progress: OnProgress = ignore_progress,
    *,
    pause_s: float = PAUSE_S,
    read_timeout_s: float = READ_TIMEOUT_S,
) -> Unpacked:
    """Download the table and the pictures, verify them, and unpack them. The caller shows the licence first.

    Downloaded bytes stay in `.<folder>.download`, next to `folder`, until everything is unpacked, so that the next run
    resumes an interrupted one. The disk needs twice the size of the archives.

    Args:
        folder: the target, absent or empty; its parent folders are made.
        base_url: scheme and host of the Dataverse installation that holds the archive.
        on_progress: called as (step, number done, total).
        pause_s: before a failed download is tried again; doubled each time.
        read_timeout_s: the longest time without a byte from the archive.

    Raises:
        FetchError: the archive cannot be reached, or does not deliver the files that it lists.
        DatasetError: the folder is not empty, another process downloads into it, the disk has too little space, or
            the files are not a readable data set.
        OSError: the files cannot be written.
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
        try:
            with lock_file(downloads.with_name(f"{downloads.name}.lock"), wait=False):
                files = [download(pool, remote, downloads, on_progress, pause_s) for remote in remotes]
                unpacked = unpack(files, folder, on_progress)
                shutil.rmtree(downloads)
        except Timeout as error:
            raise DatasetError(f"Another process is downloading into {downloads}: wait until it is done.") from error
    return unpacked
