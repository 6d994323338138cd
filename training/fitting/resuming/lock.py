"""A folder that one process at a time may use."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from filelock import FileLock

LOCK: Final = ".lock"


@contextmanager
def locked_folder(folder: Path, *, wait: bool) -> Iterator[None]:
    """Lock a folder, made if it is missing, against other processes.

    The operating system frees the lock however the process ends. The holder may remove the folder.

    Args:
        folder: to lock.
        wait: until no other process holds the lock.

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
