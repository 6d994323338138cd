"""List the files of HAM10000 in Harvard Dataverse, its archive of record, with their checksums.

The API: https://guides.dataverse.org/en/latest/api/native-api.html, "List Files in a Dataset". Dataverse converts an
uploaded table to a .tab file and lists that name, but the checksum is that of the uploaded file. `format=original`
returns that file.
"""

import re
from typing import Final
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from pydantic import BaseModel, Field, ValidationError

from training.data.published.errors import FetchError

HOST: Final = "https://dataverse.harvard.edu"
DOI: Final = "doi:10.7910/DVN/DBW86T"

CONNECT_TIMEOUT_S: Final = 20.0
READ_TIMEOUT_S: Final = 60.0  # without receiving a byte
MAX_LISTING_BYTES: Final = 10_000_000

ALGORITHMS: Final = {
    "MD5": "md5",
    "SHA-1": "sha1",
    "SHA-256": "sha256",
    "SHA-512": "sha512",
}  # Dataverse's -> hashlib's
TABLE_NAME: Final = re.compile(r"HAM10000_metadata(\.(csv|tab|tsv|txt))?", re.IGNORECASE)
PART_NAME: Final = re.compile(r"HAM10000_images_part_?([12])\.zip", re.IGNORECASE)

ONLY_REDIRECTS: Final = urllib3.Retry(
    connect=0, read=0, status=0, other=0, redirect=5, respect_retry_after_header=False
)


class RemoteFile(BaseModel):
    """One file of the archive, with the size and checksum that a download must have."""

    name: str
    url: str
    size_bytes: int | None  # None for a converted table if Dataverse did not keep the original size
    algorithm: str  # the name in hashlib
    checksum: str  # hexadecimal, lower case


class _Checksum(BaseModel):
    type: str
    value: str = Field(pattern=r"^[0-9a-fA-F]{32,128}$")


class _DataFile(BaseModel):
    id: int
    filename: str
    filesize: int = Field(ge=0)
    checksum: _Checksum | None = None
    md5: str | None = Field(None, pattern=r"^[0-9a-fA-F]{32}$")  # in place of `checksum`, before Dataverse 4.8
    tabular: bool = Field(False, alias="tabularData")
    original_size: int | None = Field(None, alias="originalFileSize", ge=0)


class _Listed(BaseModel):
    restricted: bool = False
    file: _DataFile = Field(alias="dataFile")


class _Listing(BaseModel):
    data: list[_Listed]


def connect(base_url: str, read_timeout_s: float = READ_TIMEOUT_S) -> urllib3.PoolManager:
    """Make a connection pool for an archive; it uses the proxy of the environment, such as HTTPS_PROXY.

    Raises:
        FetchError: `base_url` is not an http or https address.
    """
    if not re.match(r"https?://[^/]", base_url):
        raise FetchError(f"{base_url!r} is not the address of an archive: it must look like {HOST}.")
    timeout = urllib3.Timeout(connect=CONNECT_TIMEOUT_S, read=read_timeout_s)
    split = urlsplit(base_url)
    proxy = getproxies().get(split.scheme)
    if not proxy or split.hostname in ("127.0.0.1", "::1", "localhost") or proxy_bypass(split.hostname or ""):
        return urllib3.PoolManager(timeout=timeout)
    parts = urlsplit(proxy if "//" in proxy else f"//{proxy}", scheme="http")
    login = urllib3.make_headers(
        proxy_basic_auth=f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else None
    )
    address = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    return urllib3.ProxyManager(address, proxy_headers=login, timeout=timeout)


def list_published(pool: urllib3.PoolManager, base_url: str = HOST) -> list[RemoteFile]:
    """List HAM10000's three files: the table and the two archives of pictures.

    Args:
        pool: from `connect`.
        base_url: scheme and host of the Dataverse installation.

    Raises:
        FetchError: the archive cannot be reached, its answer is not a list of files, or a file is missing.
    """
    url = f"{base_url.rstrip('/')}/api/datasets/:persistentId/versions/:latest-published/files?persistentId={DOI}"
    by_name = {listed.file.filename: listed for listed in _request_listing(pool, url).data}
    chosen = [
        _find_one(by_name, TABLE_NAME, "HAM10000_metadata", url),
        *(_find_one(by_name, PART_NAME, f"HAM10000_images_part_{part}.zip", url, part) for part in ("1", "2")),
    ]
    return [_remote_file(by_name[name], base_url.rstrip("/")) for name in chosen]


def _request_listing(pool: urllib3.PoolManager, url: str) -> _Listing:
    try:
        response = pool.request("GET", url, preload_content=False, retries=ONLY_REDIRECTS)
        with response:
            body = response.read(MAX_LISTING_BYTES + 1)
    except urllib3.exceptions.HTTPError as error:
        raise FetchError(
            f"The archive at {url.partition('/api/')[0]} cannot be reached ({_cause(error)}): check the connection and "
            "run the command again, or use downloaded files with --from."
        ) from error
    if response.status != 200:
        raise FetchError(
            f"The archive answers {response.status} to the request for the list of files at {url}: "
            "try again later, or use downloaded files with --from."
        )
    try:
        return _Listing.model_validate_json(body)
    except ValidationError as error:
        raise FetchError(
            f"The archive at {url.partition('/api/')[0]} does not answer with Dataverse's list of files: "
            "check the address, or use downloaded files with --from."
        ) from error


def _find_one(
    by_name: dict[str, _Listed], pattern: re.Pattern[str], wanted: str, url: str, part: str | None = None
) -> str:
    names = [name for name in by_name if (found := pattern.fullmatch(name)) and part in (None, found.group(1))]
    if len(names) != 1:
        raise FetchError(
            f"The archive lists {len(names)} files that could be {wanted} (at {url}), and one is expected: the archive "
            "has changed. Download its files in a browser and name them with --from."
        )
    if by_name[names[0]].restricted:
        raise FetchError(
            f"The archive restricts access to {names[0]}: request access on its page "
            f"(https://doi.org/{DOI.removeprefix('doi:')}), and name the downloaded files with --from."
        )
    return names[0]


def _remote_file(listed: _Listed, base_url: str) -> RemoteFile:
    file = listed.file
    checksum = file.checksum or (_Checksum(type="MD5", value=file.md5) if file.md5 else None)
    if checksum is None or checksum.type.upper() not in ALGORITHMS:
        raise FetchError(
            f"The archive has no usable checksum for {file.filename}: download it in a browser and name it with --from."
        )
    url = f"{base_url}/api/access/datafile/{file.id}"
    return RemoteFile(
        name=file.filename,
        url=f"{url}?format=original" if file.tabular else url,
        size_bytes=file.original_size if file.tabular else file.filesize,
        algorithm=ALGORITHMS[checksum.type.upper()],
        checksum=checksum.value.lower(),
    )


def _cause(error: Exception) -> str:
    """Return the message of the innermost of urllib3's nested errors, without memory addresses."""
    while isinstance(reason := getattr(error, "reason", None), Exception):
        error = reason
    return re.sub(r"^.*object at 0x[0-9a-f]+>?:\s*", "", str(error)) or type(error).__name__
