"""Decode many picture files on every core of the machine."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from contract.errors import AnalyzerError, DatasetError
from contract.image import DecodedImage, decode_image

IN_FLIGHT: Final = 256  # pictures: limits the memory when the consumer is slower than the decoder

Result = TypeVar("Result")


def usable_cores() -> int:
    """Count the cores that this process may use; on macOS, which has no affinity, all cores."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def decode_files(paths: Sequence[str], size: int) -> Iterator[DecodedImage | DatasetError]:
    """Decode pictures in order; for a file that cannot be read, yield the error instead of raising it."""
    return map_decoded(paths, size, lambda decoded: decoded)


def map_decoded(
    paths: Sequence[str], size: int, function: Callable[[DecodedImage], Result]
) -> Iterator[Result | DatasetError]:
    """Decode pictures, apply a function to each, and yield the results in order.

    For a file that cannot be read, the error is yielded and not raised. It runs on threads, since Pillow decodes and
    scales without the interpreter's lock.

    Args:
        paths: of the picture files.
        size: the side of the square, in pixels.
        function: called on several threads at once.
    """
    with ThreadPoolExecutor(usable_cores()) as pool:
        for start in range(0, len(paths), IN_FLIGHT):
            yield from pool.map(partial(_decode_file, size=size, function=function), paths[start : start + IN_FLIGHT])


def _decode_file(path: str, size: int, function: Callable[[DecodedImage], Result]) -> Result | DatasetError:
    try:
        decoded = decode_image(Path(path).read_bytes(), size)
    except (AnalyzerError, FileNotFoundError) as error:
        reason = str(error) if isinstance(error, AnalyzerError) else "The file no longer exists."
        unusable = DatasetError(f"{path} cannot be used: {reason} Replace the file, or remove its row from the table.")
        unusable.__cause__ = error
        return unusable
    return function(decoded)
