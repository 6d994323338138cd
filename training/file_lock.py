"""Let only one process at a time do some work, with a lock file that is removed afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock


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
