"""A folder that appears whole or not at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contract.errors import DatasetError


def refuse_full(folder: Path) -> None:
    """Refuse a folder that holds something.

    Raises:
        DatasetError: it does, or it is a file.
    """
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise DatasetError(f"{folder} is there already and not an empty folder: name another, or delete it first.")


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """Make a folder beside `folder` to write into; it takes that name when the block ends well, and goes otherwise.

    Args:
        folder: where all of it shall be; made, with the folders above it, unless it is there and empty.

    Raises:
        DatasetError: the folder holds something already; nothing was written.
        OSError: the folder cannot be written to; nothing is left.
    """
    folder = folder.absolute()
    refuse_full(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = folder.parent / f".{folder.name}.{os.getpid()}.partial"
    shutil.rmtree(unfinished, ignore_errors=True)  # of a process killed long ago that had this number
    try:
        unfinished.mkdir()
        yield unfinished
        unfinished.replace(folder)
    except BaseException:  # an interrupt too: half of it must not pass for the whole
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
