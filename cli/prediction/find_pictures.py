"""Finds the pictures in folders. Every file there is a picture, or it is listed as left out with the reason."""

from collections.abc import Collection, Iterator, Sequence
from functools import cache
from mimetypes import MimeTypes
from pathlib import Path
from typing import Final, NamedTuple

from cli.prediction.picture_file import NotRegularFileError, is_folder, open_regular, reason_of, unreadable
from contract.api import Problem

SNIFFED_BYTES: Final = 1024  # of the start of a file, to recognize its format

HIDDEN: Final = "hidden: the name starts with a dot"
SYSTEM_FILE: Final = "a file of the operating system"
READ_ALREADY: Final = "a link to a folder that is read already"
EMPTY: Final = "empty"
OTHER_FORMAT: Final = "not in a picture format that is accepted"

# Lower case. macOS, Windows and Synology make them, for thumbnails, deleted files and the like.
_SYSTEM_FILES: Final = {".ds_store", "thumbs.db", "ehthumbs.db", "desktop.ini"}
_SYSTEM_FOLDERS: Final = {"__macosx", "@eadir", "$recycle.bin", "system volume information"}
_SYSTEM_PREFIX: Final = "._"  # AppleDouble: macOS writes one for each file on a file system of another kind

Identity = tuple[int, int]  # of a file: device and inode


class NamedPicture(NamedTuple):
    """A file that may be a picture, or a folder that cannot be read."""

    name: str  # in the table: the path below the folder in the command, or the path in the command
    path: Path
    problem: Problem | None = None  # known without a question to the function


class LeftOut(NamedTuple):
    """A file or folder that is not read, and why."""

    name: str  # as of a picture; of a folder with a slash at the end
    reason: str


class Found(NamedTuple):
    """All files in the named folders, sorted by their paths."""

    pictures: list[NamedPicture]
    left_out: list[LeftOut]


def find_pictures(paths: Sequence[Path], *, skip: Collection[Path] = ()) -> Found:
    """Search folders and their subfolders for pictures. A path that is not a folder is a picture.

    A file is a picture if its first bytes or its name say so: a refused picture is better than one left out. What
    cannot be read may be a picture, so it is one, with a problem. Links are followed; a folder is read once.

    Args:
        paths: files and folders. With one folder, names are relative to it.
        skip: files that are neither pictures nor left out.
    """
    skipped = {identity for path in skip if (identity := _identity(path))}
    pictures: dict[str, NamedPicture] = {}  # a file that is named twice has one row
    left_out: dict[str, LeftOut] = {}
    for start in paths:
        if not is_folder(start):
            pictures.setdefault(str(start), NamedPicture(str(start), start))
            continue
        base = start if len(paths) == 1 else None
        for found in sorted(_search(start, base, skipped), key=lambda found: found.name.split("/")):
            if isinstance(found, NamedPicture):
                pictures.setdefault(found.name, found)
            else:
                left_out.setdefault(found.name, found)
    return Found(list(pictures.values()), list(left_out.values()))


def _search(start: Path, base: Path | None, skipped: Collection[Identity]) -> Iterator[NamedPicture | LeftOut]:
    """Read a folder and its subfolders, then the linked folders, so that a folder is found by its own path."""
    read: set[Identity | None] = set()
    folders: list[Path] = [start]
    links: list[Path] = []
    while folders or links:
        folder = folders.pop() if folders else links.pop(0)
        if (identity := _identity(folder)) and identity in read:
            yield LeftOut(f"{_name(folder, base)}/", READ_ALREADY)
            continue
        read.add(identity)
        try:
            paths = sorted(folder.iterdir())
        except OSError as error:
            yield NamedPicture(f"{_name(folder, base)}/", folder, unreadable(error))
            continue
        in_system_folder = any(part.lower() in _SYSTEM_FOLDERS for part in folder.relative_to(start).parts)
        for path in paths:
            if not is_folder(path):
                if _identity(path) not in skipped:
                    yield _sort_file(path, _name(path, base), in_system_folder)
            elif path.name.startswith("."):
                yield LeftOut(f"{_name(path, base)}/", HIDDEN)
            elif path.is_symlink():
                links.append(path)
            else:
                folders.append(path)


def _sort_file(path: Path, name: str, in_system_folder: bool) -> NamedPicture | LeftOut:
    if in_system_folder or path.name.lower() in _SYSTEM_FILES or path.name.startswith(_SYSTEM_PREFIX):
        return LeftOut(name, SYSTEM_FILE)
    if path.name.startswith("."):
        return LeftOut(name, HIDDEN)
    from contract.image import CONTENT_TYPES, sniff_content_type  # loads Pillow: not before there is a file

    try:
        with open_regular(path) as file:
            first_bytes = file.read(SNIFFED_BYTES)
    except NotRegularFileError as error:
        return LeftOut(name, reason_of(error))
    except OSError as error:
        return NamedPicture(name, path, unreadable(error))
    if sniff_content_type(first_bytes) or _content_types().get(path.suffix.lower()) in CONTENT_TYPES:
        return NamedPicture(name, path)
    return LeftOut(name, OTHER_FORMAT if first_bytes else EMPTY)


@cache
def _content_types() -> dict[str, str]:
    """Return Python's own table of suffixes; that of the operating system differs between machines."""
    standard, others = (MimeTypes().types_map[strict] for strict in (True, False))
    return others | standard


def _identity(path: Path) -> Identity | None:
    try:
        stat = path.stat()
    except OSError:  # such a file or folder is unreadable: nothing else has to know it again
        return None
    return stat.st_dev, stat.st_ino


def _name(path: Path, base: Path | None) -> str:
    return path.as_posix() if base is None else path.relative_to(base).as_posix()
