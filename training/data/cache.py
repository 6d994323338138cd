"""Decode every picture once into one file of pixels, so that training maps it into memory and never waits for data."""

import hashlib
import io
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
import PIL

from contract.errors import DatasetError
from contract.image import DECODER_VERSION
from training.data.decode import decode_files
from training.data.ham10000 import Dataset
from training.file_lock import lock_file
from training.progress import OnProgress, ignore_progress

BLOCK: Final = 32  # pictures that share one hash in the journal: an interrupted build resumes after the last block
ABANDONED_S: Final = 86_400  # an unfinished cache that was not written to for a day is deleted
DECODER: Final = f"{DECODER_VERSION} Pillow {PIL.__version__}"


def open_cache(dataset: Dataset, size: int, folder: Path, on_progress: OnProgress = ignore_progress) -> np.memmap:
    """Map the decoded pictures into memory; decode them first if no finished cache exists.

    The file name has a hash of everything that the pixels depend on (see `cache_key`). Labels are not part of it, so a
    corrected diagnosis decodes nothing. The folder may be deleted at any time.

    An interrupted build leaves the pixels in `.pixels-*.partial` and the hashes of its finished blocks in
    `.pixels-*.journal`. The next build verifies these blocks and continues after them. The file gets its final name
    when it is complete. When two processes need the same cache, one builds it and the other waits.

    Args:
        dataset: the pictures; row i of the result is row i of `dataset.rows`.
        size: the side of the square, in pixels.
        folder: where caches are kept; made if it does not exist.
        on_progress: called as ("decoding pictures", number done, total); not called if the cache exists.

    Returns:
        RGB pixels in 0..255: uint8, shape (N, size, size, 3), read-only; row i is the result of `decode_image`.

    Raises:
        DatasetError: the dataset is empty, or a picture is missing or cannot be decoded. The unfinished cache is
            deleted.
        OSError: the cache cannot be written, for example because the disk is full; the unfinished cache is deleted.
    """
    if dataset.rows.empty:
        raise DatasetError("There are no pictures to decode: the dataset is empty.")
    paths = dataset.rows["path"].tolist()
    finished = folder / f"pixels-{size}-{cache_key(paths, size)}.npy"
    if (pixels := _map_finished(finished)) is not None:
        return pixels
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f".{finished.stem}.partial"
    _remove_abandoned(folder, except_for=partial)
    with lock_file(partial.with_suffix(".lock"), wait=True):
        if (pixels := _map_finished(finished)) is not None:  # built by the process that held the lock
            return pixels
        _build(finished, partial, paths, size, on_progress)
    return np.lib.format.open_memmap(finished, mode="r")


def cache_key(paths: Sequence[str], size: int, decoder: str = DECODER) -> str:
    """Hash everything that the pixels depend on.

    Args:
        paths: of the pictures, in order; their names, lengths and modification times count, not their content.
        size: the side of the square, in pixels.
        decoder: identifies the code that decodes.

    Raises:
        DatasetError: a picture no longer exists.
    """
    digest = hashlib.sha256(f"{decoder} {size}".encode())
    for path in paths:
        try:
            stat = Path(path).stat()
        except FileNotFoundError as error:
            raise DatasetError(f"{path} no longer exists: read the dataset again, or copy the picture back.") from error
        digest.update(f"\n{Path(path).name} {stat.st_size} {stat.st_mtime_ns}".encode())
    return digest.hexdigest()[:24]


def _build(finished: Path, partial: Path, paths: Sequence[str], size: int, on_progress: OnProgress) -> None:
    """Write the pixels to `partial`, then give the file its final name."""
    journal = partial.with_suffix(".journal")
    partial.touch()
    try:
        with partial.open("r+b") as file:
            _write_pixels(file, journal, paths, size, on_progress)
        partial.replace(finished)
    except (DatasetError, OSError):  # an unfinished cache is useless then, and the disk may be full
        partial.unlink(missing_ok=True)
        journal.unlink(missing_ok=True)
        raise
    journal.unlink(missing_ok=True)


def _write_pixels(file: BinaryIO, journal: Path, paths: Sequence[str], size: int, on_progress: OnProgress) -> None:
    """Write one .npy file from front to back, after the blocks that an earlier build has finished.

    A memory map would be simpler, but on a full disk it ends the process with SIGBUS, where write() raises an OSError.
    """
    header = io.BytesIO()
    shape = (len(paths), size, size, 3)
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": shape})
    done = BLOCK * _keep_finished_blocks(file, journal, header.getvalue(), BLOCK * size * size * 3)
    digest = hashlib.sha256()
    with journal.open("a") as hashes:
        for decoded in decode_files(paths[done:], size):
            if isinstance(decoded, DatasetError):
                raise decoded
            encoded = decoded.pixels.tobytes()
            file.write(encoded)
            digest.update(encoded)
            done += 1
            if done % BLOCK == 0:
                file.flush()
                hashes.write(f"{digest.hexdigest()}\n")
                hashes.flush()
                digest = hashlib.sha256()
            on_progress("decoding pictures", done, len(paths))
    file.flush()
    os.fsync(file.fileno())  # a power failure must not leave the final name on incomplete bytes


def _keep_finished_blocks(file: BinaryIO, journal: Path, header: bytes, block_bytes: int) -> int:
    """Truncate the file after its last block that matches the journal, and return the number of blocks kept."""
    try:
        recorded = journal.read_text(encoding="ascii").split("\n")[:-1]  # without a last line that was cut short
    except (FileNotFoundError, UnicodeDecodeError):
        recorded = []
    kept: list[str] = []
    if file.read(len(header)) == header:
        for digest in recorded:
            if hashlib.sha256(file.read(block_bytes)).hexdigest() != digest:
                break
            kept.append(digest)
    journal.write_text("".join(f"{digest}\n" for digest in kept), encoding="ascii")
    file.seek(0)
    file.write(header)
    file.seek(len(header) + len(kept) * block_bytes)
    file.truncate()
    return len(kept)


def _map_finished(path: Path) -> np.memmap | None:
    """Map a finished cache; return None if there is none or it is incomplete."""
    try:
        return np.lib.format.open_memmap(path, mode="r")
    except (FileNotFoundError, ValueError):
        return None


def _remove_abandoned(folder: Path, except_for: Path) -> None:
    """Delete the unfinished caches that no process has written to for a day."""
    for partial in folder.glob(".pixels-*.partial"):
        try:
            age_s = time.time() - partial.stat().st_mtime
        except FileNotFoundError:
            continue  # another process deleted it first
        if partial != except_for and age_s > ABANDONED_S:
            for suffix in (".partial", ".journal", ".lock"):
                partial.with_suffix(suffix).unlink(missing_ok=True)
