"""Every picture decoded once, into one file of pixels that training maps into memory and never waits for."""

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
import PIL

import contract.image
import contract.metadata
from contract.errors import AnalyzerError, DatasetError
from contract.image import DecodedImage, decode_image
from training.data.ham10000 import Dataset

BLOCK: Final = 256  # pictures in flight: bounds the memory when the disk is slower than the decoder
ABANDONED_S: Final = 86_400  # an unfinished cache that nobody has written to for a day was left by a killed process

OnProgress = Callable[[str, int, int], None]  # what is being done, how many are done, of how many


def open_cache(dataset: Dataset, size: int, folder: Path, on_progress: OnProgress | None = None) -> np.memmap:
    """Map the decoded pictures into memory, decoding them first unless that was done before.

    A cache is found again by what it was made of: the names, sizes and modification times of the pictures in their
    order, `size`, and the decoder. Labels are no part of it, so a corrected diagnosis decodes nothing anew. The folder
    may be deleted at any time.

    Args:
        dataset: the pictures; row i of the result is row i of `dataset.rows`.
        size: the side of the square, in pixels.
        folder: where caches are kept; made if need be.
        on_progress: called as ("decoding pictures", done, of how many), and not at all when nothing is to be done.

    Returns:
        RGB pixels in 0..255: uint8, shape (N, size, size, 3), read-only; row i is what `decode_image` makes of it.

    Raises:
        DatasetError: a picture is missing or cannot be decoded, or there is none.
        OSError: the cache cannot be written, for one because the disk is full; nothing is left of it.
    """
    if dataset.rows.empty:
        raise DatasetError("There are no pictures to decode: the dataset is empty.")
    paths = dataset.rows["path"].tolist()
    finished = folder / f"pixels-{size}-{_key(paths, size)}.npy"
    if (pixels := _map(finished)) is not None:
        return pixels
    folder.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(folder)
    unfinished = folder / f".{finished.stem}.{os.getpid()}.partial"
    try:
        with unfinished.open("wb") as file:
            _write_pixels(file, paths, size, on_progress)
        unfinished.replace(finished)
    except BaseException:  # an interrupt too: half a cache is of no use to anyone
        unfinished.unlink(missing_ok=True)
        raise
    return np.lib.format.open_memmap(finished, mode="r")


def decode_files(paths: Sequence[str], size: int) -> Iterator[DecodedImage | DatasetError]:
    """Decode pictures on every core, in order; one that cannot be read comes out as the error that says so.

    Threads, since Pillow decodes and scales without holding the interpreter's lock.
    """
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(paths), BLOCK):
            yield from pool.map(partial(_decode_file, size=size), paths[start : start + BLOCK])


def _decode_file(path: str, size: int) -> DecodedImage | DatasetError:
    try:
        return decode_image(Path(path).read_bytes(), size)
    except (AnalyzerError, FileNotFoundError) as error:
        fault = DatasetError(f"{path} cannot be used: {_reason(error)} Replace the file, or take out its row.")
        fault.__cause__ = error
        return fault


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, AnalyzerError) else "It is no longer there."


def _write_pixels(file: BinaryIO, paths: Sequence[str], size: int, on_progress: OnProgress | None) -> None:
    """Write one .npy file from front to back.

    Not through a memory map: on a full disk that ends the process with SIGBUS, where write() raises an OSError.
    """
    shape = (len(paths), size, size, 3)
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
    for done, decoded in enumerate(decode_files(paths, size), 1):
        if isinstance(decoded, DatasetError):
            raise decoded
        file.write(decoded.pixels.tobytes())
        if on_progress:
            on_progress("decoding pictures", done, len(paths))
    file.flush()
    os.fsync(file.fileno())  # the name must not outlive the bytes when the power goes


def _map(path: Path) -> np.memmap | None:
    """Map a finished cache, or nothing if there is none or it is not whole."""
    try:
        return np.lib.format.open_memmap(path, mode="r")
    except (FileNotFoundError, ValueError):
        return None


def _key(paths: Sequence[str], size: int) -> str:
    digest = hashlib.sha256(f"{_decoder_version()} {size}".encode())
    for path in paths:
        try:
            stat = Path(path).stat()
        except FileNotFoundError as error:
            raise DatasetError(
                f"{path} is no longer there: read the dataset again, or copy the picture back."
            ) from error
        digest.update(f"\n{Path(path).name} {stat.st_size} {stat.st_mtime_ns}".encode())
    return digest.hexdigest()[:24]


def _decoder_version() -> str:
    """Identify what turns bytes into pixels: our source and Pillow."""
    rooms = (contract.image, contract.metadata)
    sources = [hashlib.sha256(Path(str(room.__file__)).read_bytes()).hexdigest() for room in rooms]
    return f"{' '.join(sources)} {PIL.__version__}"


def _remove_abandoned(folder: Path) -> None:
    for unfinished in folder.glob(".pixels-*.partial"):
        try:
            if time.time() - unfinished.stat().st_mtime > ABANDONED_S:
                unfinished.unlink()
        except FileNotFoundError:
            continue  # another process was quicker
