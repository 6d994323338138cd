"""Reading one picture file: a file that cannot be read gets a problem as its answer, like a refused picture."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cli.prediction.client import PredictionClient
    from contract.api import Prediction, Problem

UNREADABLE: Final = "unreadable_file"  # the code of the problem

_KINDS: Final = {
    stat.S_IFDIR: "folder",
    stat.S_IFIFO: "named pipe",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
}
_REASONS: Final = {  # in plainer words than the operating system's
    errno.ENOENT: "the file, or the file that the link names, does not exist",
    errno.ELOOP: "the link leads in a circle",
}


class NotRegularFileError(OSError):
    """A folder, named pipe, socket or device. To open one could wait forever, or have an effect on a device."""


def predict_file(client: "PredictionClient", path: Path) -> "Prediction | Problem":
    """Classify the picture in a file; for a file that is empty or cannot be read, return a problem.

    Raises:
        AnalyzerError: there is no model, or the API does not answer. Such an error is not about the picture.
    """
    from contract.api import MAX_BODY_BYTES

    try:
        with open_regular(path) as file:
            encoded = file.read(MAX_BODY_BYTES + 1)  # with one byte too many it is refused like the whole file
    except OSError as error:
        return unreadable(error)
    if not encoded:
        return _problem("empty_file", "The file is empty", "The file is empty: copy it again from where it came from.")
    return client.predict(encoded)


@contextmanager
def open_regular(path: Path) -> Iterator[IO[bytes]]:
    """Open a regular file, or a link to one, for reading.

    Raises:
        NotRegularFileError: it is another kind of file.
        OSError: it cannot be opened.
    """
    _check_regular(path.stat().st_mode)
    # without O_NONBLOCK this waits forever if the file has become a named pipe since
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
        _check_regular(os.fstat(file.fileno()).st_mode)
        yield file


def is_folder(path: Path) -> bool:
    """Return whether a path is a folder or a link to one; false if the operating system refuses to say."""
    return os.path.isdir(path)  # noqa: PTH112  Path.is_dir raises some errors


def unreadable(error: OSError) -> "Problem":
    """Make the problem of a file or folder that cannot be read."""
    reason = reason_of(error)
    return _problem(UNREADABLE, "The file cannot be read", f"{reason[:1].upper()}{reason[1:]}.")


def reason_of(error: OSError) -> str:
    """Return the reason of an error as part of a sentence, without the name of the file."""
    if isinstance(error, NotRegularFileError):
        return str(error)
    return _REASONS.get(error.errno or 0) or error.strerror or type(error).__name__


def _check_regular(mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise NotRegularFileError(f"a {_KINDS.get(stat.S_IFMT(mode), 'special file')}, not a regular file")


def _problem(code: str, title: str, detail: str) -> "Problem":
    from contract.api import Problem

    return Problem(type=f"urn:skin-lesion-analyzer:problem:{code}", title=title, status=422, detail=detail, code=code,
                   request_id="")  # fmt: skip
