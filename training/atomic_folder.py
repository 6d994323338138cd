"""Write a folder completely, then give it its name in one step: a reader never sees a part of it."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from contract.errors import DatasetError


@contextmanager
def atomic_folder(target: Path, *, replace: bool = False) -> Iterator[Path]:
    """Yield a new hidden folder to write into, and rename it to `target` when the block ends without an error.

    After an error or an interrupt the new folder is removed, and `target` is unchanged. If a complete `target` makes
    the work unnecessary, test that before this call.

    Args:
        target: the final path. Its parent folders are made.
        replace: replace a folder that exists. Otherwise `target` must be absent or an empty folder.

    Raises:
        DatasetError: `target` is not empty and `replace` is false. At the start of the block nothing was written; at
            its end another process has finished `target` in the meantime, and its folder stays.
        OSError: the folder cannot be written.
    """
    target = target.absolute()
    if not replace:
        refuse_nonempty(target)
    with temporary_folder(target.parent) as folder:
        yield folder
        move_into_place(folder, target, replace=replace)


@contextmanager
def temporary_folder(parent: Path) -> Iterator[Path]:
    """Yield a new empty folder, hidden in `parent`, and remove it at the end unless it was moved.

    Use it with `move_into_place` where the final name is only known after the files are written. `parent` must be on
    the same file system as the final path.

    Raises:
        OSError: `parent` cannot be made or written.
    """
    parent.mkdir(parents=True, exist_ok=True)
    # a folder inside, because TemporaryDirectory lets only its owner read it
    with TemporaryDirectory(prefix=".partial-", dir=parent, ignore_cleanup_errors=True) as hidden:
        folder = Path(hidden) / "new"
        folder.mkdir()
        yield folder


def move_into_place(folder: Path, target: Path, *, replace: bool = False) -> None:
    """Rename a complete `folder` from `temporary_folder` to `target`.

    POSIX cannot replace a non-empty folder in one step: with `replace`, the old folder is first renamed out of the way,
    and put back if the new one cannot take its name.

    Raises:
        DatasetError: `target` is not empty and `replace` is false; nothing was changed.
        OSError: it cannot be renamed.
    """
    old = folder.with_name("old")  # removed together with the temporary folder
    if replace:
        with suppress(FileNotFoundError):
            target.rename(old)
    try:
        folder.replace(target)
    except BaseException:
        if old.exists():
            old.rename(target)
        elif not replace:
            refuse_nonempty(target)
        raise


def refuse_nonempty(folder: Path) -> None:
    """Refuse a path that is a file or a folder with something in it.

    Raises:
        DatasetError: it is.
    """
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise DatasetError(f"{folder} already exists and is not an empty folder: name another, or delete it first.")
