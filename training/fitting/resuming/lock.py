"""One process at a time in a folder."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

LOCK: Final = ".lock"


@contextmanager
def alone_in(folder: Path, *, wait: bool) -> Iterator[None]:
    """Hold a folder, made if need be, against every other process that asks for it in this way.

    The system lets go of it however the process ends. It may be removed while it is held.

    Args:
        folder: to hold.
        wait: until no other process holds it.

    Raises:
        BlockingIOError: another process holds it, and `wait` is false.
    """
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / LOCK).open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            try:
                if not os.path.samestat((folder / LOCK).stat(), os.fstat(file.fileno())):
                    continue
            except FileNotFoundError:  # whoever held it removed it
                continue
            yield
            return
