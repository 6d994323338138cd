"""Picture files below any folder: find them by name, and decode them."""

from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Final

import numpy as np

from contract.errors import DatasetError
from training.data.decode import map_decoded
from training.data.layout import IMAGES, PUBLISHED_PARTS
from training.evaluation.inputs import existing_folder

SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".webp", ".heic", ".heif")
CHUNK: Final = 256  # pictures that are decoded together


def find_picture_files(folder: Path) -> dict[str, str]:
    """Find JPEG, PNG, WebP and HEIC files, in the folders of HAM10000 if there are any, otherwise anywhere below.

    Returns:
        file name without its suffix -> absolute path.

    Raises:
        DatasetError: there is no folder, no picture in it, or two pictures with the same name.
    """
    folder = existing_folder(folder.absolute())
    published = [folder / part for part in (IMAGES, *PUBLISHED_PARTS) if (folder / part).is_dir()]
    pictures: dict[str, str] = {}
    for place in published or [folder]:
        for path in _list_pictures(place):
            if path.stem in pictures:
                raise DatasetError(f"There are two pictures called {path.stem} in {folder}: keep one of them.")
            pictures[path.stem] = str(path)
    if not pictures:
        raise _no_pictures(folder)
    return pictures


def decode_pictures(folder: Path, size: int) -> Iterator[tuple[np.ndarray, int]]:
    """Decode all pictures below a folder, a chunk at a time; files that cannot be decoded are left out.

    Yields:
        RGB pixels in 0..255, uint8, shape (up to CHUNK, size, size, 3), and the number of files left out.

    Raises:
        DatasetError: there is no folder, or no picture in it.
    """
    paths = [str(path) for path in _list_pictures(existing_folder(folder))]
    if not paths:
        raise _no_pictures(folder)
    for start in range(0, len(paths), CHUNK):
        chunk = paths[start : start + CHUNK]
        results = map_decoded(chunk, size, lambda decoded: decoded.pixels)
        pixels = [result for result in results if not isinstance(result, DatasetError)]
        yield np.stack(pixels) if pixels else np.empty((0, size, size, 3), np.uint8), len(chunk) - len(pixels)


def is_picture(name: str) -> bool:
    """Return whether a file name is that of a picture."""
    return PurePath(name).suffix.lower() in SUFFIXES and not name.startswith(".")


def _list_pictures(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if is_picture(path.name) and path.is_file())


def _no_pictures(folder: Path) -> DatasetError:
    return DatasetError(f"There are no pictures in {folder}: put JPEG, PNG, WebP or HEIC files there.")
