"""Every picture decoded once, into one file of pixels that training maps into memory and never waits for."""

import fcntl
import hashlib
import io
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final, TypeVar

import numpy as np
import PIL

import contract.image
import contract.metadata
from contract.errors import AnalyzerError, DatasetError
from contract.image import DecodedImage, decode_image
from training.data.ham10000 import Dataset
from training.progress import OnProgress

IN_FLIGHT: Final = 256  # pictures: bounds the memory when the disk is slower than the decoder
BLOCK: Final = 32  # pictures that are written down together as done, so that an interrupted build goes on after them
ABANDONED_S: Final = 86_400  # an unfinished cache that nobody has written to for a day is wanted no more

Made = TypeVar("Made")


def open_cache(dataset: Dataset, size: int, folder: Path, on_progress: OnProgress | None = None) -> np.memmap:
    """Map the decoded pictures into memory, decoding them first unless that was done before.

    A cache is found again by what it was made of: the names, sizes and modification times of the pictures in their
    order, `size`, and the decoder. Labels are no part of it, so a corrected diagnosis decodes nothing anew. The folder
    may be deleted at any time.

    A build that was interrupted or killed leaves `.pixels-*.partial` and beside it the hashes of its finished blocks;
    the next one verifies these blocks and goes on after them. A finished cache has another name, taken last. Of two
    processes that want the same cache, one builds it and the other waits.

    Args:
        dataset: the pictures; row i of the result is row i of `dataset.rows`.
        size: the side of the square, in pixels.
        folder: where caches are kept; made if need be.
        on_progress: called as ("decoding pictures", done, of how many), and not at all when nothing is to be done.

    Returns:
        RGB pixels in 0..255: uint8, shape (N, size, size, 3), read-only; row i is what `decode_image` makes of it.

    Raises:
        DatasetError: a picture is missing or cannot be decoded, or there is none; nothing is left of the cache.
        OSError: the cache cannot be written, for one because the disk is full; nothing is left of it.
    """
    if dataset.rows.empty:
        raise DatasetError("There are no pictures to decode: the dataset is empty.")
    paths = dataset.rows["path"].tolist()
    finished = folder / f"pixels-{size}-{_key(paths, size)}.npy"
    if (pixels := _map(finished)) is not None:
        return pixels
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / f".{finished.stem}.partial"
    journal = unfinished.with_suffix(".journal")
    _remove_abandoned(folder, wanted=(unfinished, journal))
    with _opened_alone(unfinished) as file:
        if (pixels := _map(finished)) is not None:  # another process was building it
            unfinished.unlink(missing_ok=True)
            return pixels
        try:
            _write_pixels(file, journal, paths, size, on_progress)
            unfinished.replace(finished)
        except (DatasetError, OSError):  # what is there is of no use, or in the way of a full disk
            unfinished.unlink(missing_ok=True)
            journal.unlink(missing_ok=True)
            raise
        journal.unlink(missing_ok=True)
    return np.lib.format.open_memmap(finished, mode="r")


def usable_cores() -> int:
    """Count the cores that this process may run on; macOS cannot tell them from those that there are."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def decode_files(paths: Sequence[str], size: int) -> Iterator[DecodedImage | DatasetError]:
    """Decode pictures on every core, in order; one that cannot be read comes out as the error that says so."""
    return map_decoded(paths, size, lambda decoded: decoded)


def map_decoded(paths: Sequence[str], size: int, make: Callable[[DecodedImage], Made]) -> Iterator[Made | DatasetError]:
    """Decode pictures and make something of each on every core, in order; of one that cannot be read, the error.

    Threads, since Pillow decodes and scales without holding the interpreter's lock.
    """
    with ThreadPoolExecutor(usable_cores()) as pool:
        for start in range(0, len(paths), IN_FLIGHT):
            yield from pool.map(partial(_decode_file, size=size, make=make), paths[start : start + IN_FLIGHT])


def _decode_file(path: str, size: int, make: Callable[[DecodedImage], Made]) -> Made | DatasetError:
    try:
        decoded = decode_image(Path(path).read_bytes(), size)
    except (AnalyzerError, FileNotFoundError) as error:
        fault = DatasetError(f"{path} cannot be used: {_reason(error)} Replace the file, or take out its row.")
        fault.__cause__ = error
        return fault
    return make(decoded)


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, AnalyzerError) else "It is no longer there."


def _write_pixels(
    file: BinaryIO, journal: Path, paths: Sequence[str], size: int, on_progress: OnProgress | None
) -> None:
    """Write one .npy file from front to back, after what an earlier build has finished of it.

    Not through a memory map: on a full disk that ends the process with SIGBUS, where write() raises an OSError.
    """
    header = io.BytesIO()
    shape = (len(paths), size, size, 3)
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": shape})
    done = BLOCK * _keep_finished(file, journal, header.getvalue(), BLOCK * size * size * 3)
    digest = hashlib.sha256()
    with journal.open("a") as finished_blocks:
        for decoded in decode_files(paths[done:], size):
            if isinstance(decoded, DatasetError):
                raise decoded
            encoded = decoded.pixels.tobytes()
            file.write(encoded)
            digest.update(encoded)
            done += 1
            if done % BLOCK == 0:
                file.flush()
                finished_blocks.write(f"{digest.hexdigest()}\n")
                finished_blocks.flush()
                digest = hashlib.sha256()
            if on_progress:
                on_progress("decoding pictures", done, len(paths))
    file.flush()
    os.fsync(file.fileno())  # the name must not outlive the bytes when the power goes


def _keep_finished(file: BinaryIO, journal: Path, header: bytes, block_bytes: int) -> int:
    """Cut the file after the last block that is as its journal says, and tell how many blocks that leaves."""
    try:
        written_down = journal.read_text(encoding="ascii").split("\n")[:-1]  # a line that was cut short is none
    except (FileNotFoundError, UnicodeDecodeError):
        written_down = []
    kept: list[str] = []
    if file.read(len(header)) == header:
        for digest in written_down:
            if hashlib.sha256(file.read(block_bytes)).hexdigest() != digest:
                break
            kept.append(digest)
    journal.write_text("".join(f"{digest}\n" for digest in kept), encoding="ascii")
    file.seek(0)
    file.write(header)
    file.seek(len(header) + len(kept) * block_bytes)
    file.truncate()
    return len(kept)


@contextmanager
def _opened_alone(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading and writing, made if need be, once no other process has it open in this way."""
    while True:
        with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if not _is_still(path, file):  # the process that was waited for has finished it or given it up
                continue
            yield file
            return


def _is_still(path: Path, file: BinaryIO) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


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


def _remove_abandoned(folder: Path, wanted: Sequence[Path]) -> None:
    for unfinished in (*folder.glob(".pixels-*.partial"), *folder.glob(".pixels-*.journal")):
        try:
            if unfinished not in wanted and time.time() - unfinished.stat().st_mtime > ABANDONED_S:
                unfinished.unlink()
        except FileNotFoundError:
            continue  # another process was quicker
