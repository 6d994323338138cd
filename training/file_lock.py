"""Locks between processes: a lock file for one piece of work, and a lock on a folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from filelock import FileLock

LOCK: Final = ".lock"  # the file in a locked folder


@contextmanager
def lock_file(path: Path, *, wait: bool) -> Iterator[None]:
    """Hold the lock file `path` while the block runs.

    The system releases the lock when the process ends, even if it is killed. After a wait, check whether the other
    process has done the work.

    Args:
        path: of the lock file, in a folder that exists.
        wait: whether to wait for a process that holds it.

    Raises:
        filelock.Timeout: another process holds it, and `wait` is false.
        OSError: the lock file cannot be made.
    """
    with FileLock(path, blocking=wait):
        try:
            yield
        finally:
            path.unlink(missing_ok=True)  # while it is held: a waiting process then makes and locks a new one


@contextmanager
def locked_folder(folder: Path, *, wait: bool) -> Iterator[None]:
    """Lock a folder against other processes while the block runs. The folder is made if it is missing.

    The system releases the lock when the process ends, even if it is killed. The holder may remove the folder.

    Args:
        folder: to lock.
        wait: whether to wait for a process that holds the lock.

    Raises:
        filelock.Timeout: another process holds the lock, and `wait` is false.
    """
    lock = FileLock(folder / LOCK)
    while not lock.is_locked:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(blocking=wait)
        except FileNotFoundError:  # the last holder removed the folder
            continue
    try:
        yield
    finally:
        lock.release()
