"""Download one file of the archive: resume an interrupted download, and verify the checksum."""

import hashlib
import re
import time
from pathlib import Path
from typing import Final

import urllib3

from training.data.published.dataverse import ONLY_REDIRECTS, RemoteFile
from training.data.published.errors import FetchError
from training.progress import OnProgress, ignore_progress

MAX_FAILURES: Final = 5  # requests in a row that bring no new byte
MAX_DOWNLOADS: Final = 2  # of the complete file, if its checksum is wrong
PAUSE_S: Final = 1.0  # before the second attempt; doubled for each further one
MAX_PAUSE_S: Final = 120.0
CHUNK_BYTES: Final = 1 << 20
MAX_UNKNOWN_BYTES: Final = 50_000_000  # of a file of unknown size, which can only be the table
MEGABYTE: Final = 1_000_000

RETRY_STATUSES: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
REFUSED_STATUSES: Final = frozenset({401, 403})
GONE_STATUSES: Final = frozenset({404, 410})

_CONTENT_RANGE: Final = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


class _RetryError(Exception):
    """This request ended early; another request may continue the download."""

    def __init__(self, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


def download(
    pool: urllib3.PoolManager,
    remote: RemoteFile,
    folder: Path,
    on_progress: OnProgress = ignore_progress,
    pause_s: float = PAUSE_S,
) -> Path:
    """Download a file into `folder` and verify its checksum; continue the download of an earlier run.

    The received bytes stay in `.<name>.<checksum>.partial` until the file is complete, also after an error or an
    interrupt. The next request asks only for the rest (HTTP Range, RFC 9110, section 14). A server that does not
    support this sends the complete file again.

    Args:
        pool: from `connect`.
        remote: the file.
        folder: the target folder; it exists.
        on_progress: called as ("<name> (MB)", number done, total).
        pause_s: before the second request; doubled each time, unless the server sends Retry-After.

    Returns:
        The path of the file.

    Raises:
        FetchError: the archive does not deliver the file, or its checksum was wrong twice.
        OSError: the file cannot be written, for example because the disk is full.
    """
    finished = folder / remote.name
    if finished.is_file() and _checksum(finished, remote.algorithm) == remote.checksum:
        return finished
    partial = folder / f".{remote.name}.{remote.checksum[:12]}.partial"
    for _ in range(MAX_DOWNLOADS):
        _download_all(pool, remote, partial, on_progress, pause_s)
        if _checksum(partial, remote.algorithm) == remote.checksum:
            partial.replace(finished)
            return finished
        partial.unlink()
    raise FetchError(
        f"{remote.name} was downloaded {MAX_DOWNLOADS} times with a wrong checksum (expected: {remote.algorithm} "
        f"{remote.checksum}), and was deleted: try again later, or over another connection."
    )


def _download_all(
    pool: urllib3.PoolManager, remote: RemoteFile, partial: Path, on_progress: OnProgress, pause_s: float
) -> None:
    """Send requests until the file is complete. Only a request that brings no new byte counts as a failure."""
    failures, largest = 0, _size_of(partial)
    while remote.size_bytes is None or _size_of(partial) != remote.size_bytes or not partial.exists():
        try:
            _download_rest(pool, remote, partial, on_progress)
            return
        except _RetryError as error:
            size = _size_of(partial)
            failures = 0 if size > largest else failures + 1
            largest = max(largest, size)
            if failures >= MAX_FAILURES:
                raise FetchError(
                    f"{remote.name} cannot be downloaded from {remote.url}: {error}. The received part is kept: run "
                    "the same command again later to continue."
                ) from error
            pause = error.retry_after_s if error.retry_after_s is not None else pause_s * 2**failures
            time.sleep(min(pause, MAX_PAUSE_S))


def _download_rest(pool: urllib3.PoolManager, remote: RemoteFile, partial: Path, on_progress: OnProgress) -> None:
    """Send one request for the missing bytes, and append the answer."""
    position = _size_of(partial)
    if remote.size_bytes is None or position > remote.size_bytes:
        position = 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={position}-"} if position else {})
    try:
        response = pool.request("GET", remote.url, headers=headers, preload_content=False, retries=ONLY_REDIRECTS)
    except urllib3.exceptions.HTTPError as error:
        raise _RetryError(f"the archive cannot be reached ({error})") from error
    with response:
        position = _check_response(response, remote, position, partial)
        max_bytes = MAX_UNKNOWN_BYTES if remote.size_bytes is None else remote.size_bytes
        with partial.open("ab" if position else "wb") as file:
            try:
                for chunk in response.stream(CHUNK_BYTES, decode_content=False):
                    file.write(chunk[: max_bytes - position])  # a server that sends too much must not fill the disk
                    position = min(max_bytes, position + len(chunk))
                    if position == max_bytes:
                        break
                    on_progress(f"{remote.name} (MB)", position // MEGABYTE, -(-max_bytes // MEGABYTE))
            except urllib3.exceptions.HTTPError as error:
                raise _RetryError(f"the connection was lost after {position} bytes") from error
    if remote.size_bytes is not None and position < remote.size_bytes:
        raise _RetryError(f"the archive sent {position} of {remote.size_bytes} bytes")
    total = max(1, -(-position // MEGABYTE))
    on_progress(f"{remote.name} (MB)", total, total)


def _check_response(response: urllib3.BaseHTTPResponse, remote: RemoteFile, position: int, partial: Path) -> int:
    """Return the position of the response's first byte in the file; raise if the response is not the file."""
    status = response.status
    if status == 200:
        return 0  # the complete file: the request had no Range, or the server ignores it
    if status == 206 and position:
        content_range = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if content_range and int(content_range[1]) == position and content_range[2] in ("*", str(remote.size_bytes)):
            return position
    if status in (206, 416):
        partial.unlink(missing_ok=True)
        raise _RetryError("the archive answers with another range than requested")
    if status in RETRY_STATUSES:
        raise _RetryError(f"the archive answers {status}", _retry_after_s(response))
    if status in GONE_STATUSES:
        raise FetchError(
            f"The archive no longer has {remote.name} at {remote.url} ({status}): run the command again to get the "
            "current list of files, or use downloaded files with --from."
        )
    if status in REFUSED_STATUSES:
        raise FetchError(
            f"The archive refuses the download of {remote.name} ({status}): download it in a browser, where you may "
            "have to accept its terms, and name it with --from."
        )
    raise FetchError(
        f"The archive answers {status} to the download of {remote.url}: try again later, or download {remote.name} in "
        "a browser and name it with --from."
    )


def _retry_after_s(response: urllib3.BaseHTTPResponse) -> float | None:
    value = response.headers.get("Retry-After", "")
    return float(value) if re.fullmatch(r"\d{1,6}", value) else None  # a date is allowed, but servers send seconds


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _checksum(path: Path, algorithm: str) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()
