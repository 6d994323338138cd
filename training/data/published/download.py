"""One file from the archive to the disk: in pieces if need be, and whole and verified or not at all."""

import hashlib
import re
import time
from pathlib import Path
from typing import Final

import urllib3

from training.data.published.dataverse import REDIRECTS_ALONE, RemoteFile
from training.data.published.errors import FetchError
from training.progress import OnProgress

ATTEMPTS: Final = 5  # in a row that bring nothing new
WHOLE_ATTEMPTS: Final = 2  # downloads whose checksum is wrong
PAUSE_S: Final = 1.0  # before the second attempt; doubled for each further one
LONGEST_PAUSE_S: Final = 120.0
CHUNK_BYTES: Final = 1 << 20
MAX_UNSTATED_BYTES: Final = 50_000_000  # of a file whose size is not known beforehand, which is the table
MEGABYTE: Final = 1_000_000

TRY_AGAIN: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
REFUSED: Final = frozenset({401, 403})
GONE: Final = frozenset({404, 410})


_CONTENT_RANGE: Final = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


class _TryAgainError(Exception):
    """This attempt ended early; the next one may go on from there."""

    def __init__(self, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


def download(
    pool: urllib3.PoolManager,
    remote: RemoteFile,
    folder: Path,
    on_progress: OnProgress | None = None,
    pause_s: float = PAUSE_S,
) -> Path:
    """Bring a file into `folder`, going on where an earlier run stopped, and verify its checksum.

    What has arrived stays in `.<name>.<checksum>.partial` until it is whole, also after an error or an interrupt, and
    is asked for no more (HTTP Range, RFC 9110, section 14); a server that cannot do that sends all of it again.

    Args:
        pool: of connections.
        remote: what to bring.
        folder: where to; it exists.
        on_progress: called as ("<name> (MB)", done, of how many).
        pause_s: before the second attempt; each further pause is twice as long, or what the server asks for.

    Returns:
        Where it lies.

    Raises:
        FetchError: the archive does not hand it out, or what arrived is not what its checksum says, twice.
        OSError: it cannot be written, for one because the disk is full.
    """
    finished = folder / remote.name
    if finished.is_file() and _checksum(finished, remote.algorithm) == remote.checksum:
        return finished
    partial = folder / f".{remote.name}.{remote.checksum[:12]}.partial"
    for _ in range(WHOLE_ATTEMPTS):
        _fetch(pool, remote, partial, on_progress, pause_s)
        if _checksum(partial, remote.algorithm) == remote.checksum:
            partial.replace(finished)
            return finished
        partial.unlink()
    raise FetchError(
        f"{remote.name} arrived {WHOLE_ATTEMPTS} times with another checksum than the archive states "
        f"({remote.algorithm} {remote.checksum}), and was thrown away: try again later, or over another connection."
    )


def _fetch(
    pool: urllib3.PoolManager, remote: RemoteFile, partial: Path, on_progress: OnProgress | None, pause_s: float
) -> None:
    """Ask until the file has its full length; only attempts that bring nothing new count as failures."""
    failures, most = 0, _size_of(partial)
    while remote.size_bytes is None or _size_of(partial) != remote.size_bytes or not partial.exists():
        try:
            _fetch_rest(pool, remote, partial, on_progress)
            return
        except _TryAgainError as error:
            arrived = _size_of(partial)
            failures = 0 if arrived > most else failures + 1
            most = max(most, arrived)
            if failures >= ATTEMPTS:
                raise FetchError(
                    f"{remote.name} cannot be fetched from {remote.url}: {error}. What has arrived is kept: run the "
                    "same command again later, and it goes on from there."
                ) from error
            pause = error.retry_after_s if error.retry_after_s is not None else pause_s * 2**failures
            time.sleep(min(pause, LONGEST_PAUSE_S))


def _fetch_rest(pool: urllib3.PoolManager, remote: RemoteFile, partial: Path, on_progress: OnProgress | None) -> None:
    """Ask once for what is missing, and write what comes."""
    at = _size_of(partial)
    if remote.size_bytes is None or at > remote.size_bytes:
        at = 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={at}-"} if at else {})
    try:
        response = pool.request("GET", remote.url, headers=headers, preload_content=False, retries=REDIRECTS_ALONE)
    except urllib3.exceptions.HTTPError as error:
        raise _TryAgainError(f"the archive cannot be reached ({error})") from error
    with response:
        at = _check_answer(response, remote, at, partial)
        most = MAX_UNSTATED_BYTES if remote.size_bytes is None else remote.size_bytes
        with partial.open("ab" if at else "wb") as file:
            try:
                for chunk in response.stream(CHUNK_BYTES, decode_content=False):
                    file.write(chunk[: most - at])  # what is too much is not written; the checksum tells the rest
                    at = min(most, at + len(chunk))
                    if at == most:
                        break
                    if on_progress:
                        on_progress(f"{remote.name} (MB)", at // MEGABYTE, -(-most // MEGABYTE))
            except urllib3.exceptions.HTTPError as error:
                raise _TryAgainError(f"the connection broke off after {at} bytes") from error
    if remote.size_bytes is not None and at < remote.size_bytes:
        raise _TryAgainError(f"the archive sent {at} of {remote.size_bytes} bytes")
    if on_progress:
        total = max(1, -(-at // MEGABYTE))
        on_progress(f"{remote.name} (MB)", total, total)


def _check_answer(response: urllib3.BaseHTTPResponse, remote: RemoteFile, at: int, partial: Path) -> int:
    """Tell from which byte on the answer is, or raise."""
    status = response.status
    if status == 200:
        return 0  # all of it: Range was not asked for, or not understood
    if status == 206 and at:
        stated = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if stated and int(stated[1]) == at and stated[2] in ("*", str(remote.size_bytes)):
            return at
    if status in (206, 416):
        partial.unlink(missing_ok=True)
        raise _TryAgainError("the archive answers with another part of it than was asked for")
    if status in TRY_AGAIN:
        raise _TryAgainError(f"the archive answers {status}", _retry_after_s(response))
    if status in GONE:
        raise FetchError(
            f"The archive no longer has {remote.name} at {remote.url} ({status}): run the command again for the "
            "present list of files, or name files that you have with --from."
        )
    if status in REFUSED:
        raise FetchError(
            f"The archive refuses to hand out {remote.name} ({status}): download it in a browser, where it may ask "
            "you to agree to its terms, and name it with --from."
        )
    raise FetchError(
        f"The archive answers {status} to {remote.url}, which is not a download: try again later, or download "
        f"{remote.name} in a browser and name it with --from."
    )


def _retry_after_s(response: urllib3.BaseHTTPResponse) -> float | None:
    stated = response.headers.get("Retry-After", "")
    return float(stated) if re.fullmatch(r"\d{1,6}", stated) else None  # it may be a date, which no one sends


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _checksum(path: Path, algorithm: str) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()
