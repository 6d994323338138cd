"""A Dataverse server on the loopback interface with a small HAM10000; a test can make it misbehave."""

import hashlib
import io
import json
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LIST = "/api/datasets/:persistentId/versions/:latest-published/files?persistentId=doi:10.7910/DVN/DBW86T"


@dataclass
class Archive:
    """The files of the server, its misbehaviour, and the requests that it got."""

    files: dict[str, bytes]
    listing: Any = None  # in place of the correct list
    drop_after: list[int] = field(
        default_factory=list
    )  # lose the connection after so many bytes: an entry for each download
    statuses: list[tuple[int, dict[str, str]]] = field(
        default_factory=list
    )  # in place of a download: an entry for each
    corrupt_downloads: int = 0  # so many downloads have a wrong byte
    honours_range: bool = True  # else it sends the complete file
    shifts_range: bool = False  # answers with another range
    silent: bool = False  # accepts a request and never answers
    requests: list[tuple[str, str | None]] = field(default_factory=list)  # path, Range
    url: str = ""

    def list_files(self) -> Any:
        listed = [
            {
                "label": name,
                "restricted": False,
                "dataFile": {
                    "id": number,
                    "filename": name,
                    "filesize": len(content) + (17 if name.endswith(".tab") else 0),  # of the converted table
                    "checksum": {"type": "MD5", "value": md5(content)},
                    **(
                        {"tabularData": True, "originalFileSize": len(content), "originalFileFormat": "text/csv"}
                        if name.endswith(".tab")
                        else {}
                    ),
                },
            }
            for number, (name, content) in enumerate(self.files.items(), 100)
        ]
        return {"status": "OK", "data": listed}


class _Handler(BaseHTTPRequestHandler):
    archive: Archive
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        archive = self.archive
        archive.requests.append((self.path, self.headers.get("Range")))
        if archive.silent:
            self.rfile.read(1)  # until the client closes the connection
        elif self.path == LIST:
            body = archive.listing if archive.listing is not None else archive.list_files()
            self._answer(200, body if isinstance(body, bytes) else json.dumps(body).encode())
        elif self.path.startswith("/api/access/datafile/"):
            number, _, query = self.path.rpartition("/")[2].partition("?")
            name = list(archive.files)[int(number) - 100]
            if archive.statuses:
                status, headers = archive.statuses.pop(0)
                self._answer(status, b"{}", headers)
            elif name.endswith(".tab") and query != "format=original":
                self._answer(200, archive.files[name].replace(b",", b"\t"))
            else:  # as Harvard's server does
                self._answer(303, b"", {"Location": f"{archive.url}/storage/{number}"})
        else:
            self._send_file(list(archive.files.values())[int(self.path.rpartition("/")[2]) - 100])

    def _send_file(self, content: bytes) -> None:
        archive, requested = self.archive, self.headers.get("Range")
        total, start, headers, status = len(content), 0, {}, 200
        if requested and archive.honours_range:
            start = int(requested.removeprefix("bytes=").rstrip("-")) - (5 if archive.shifts_range else 0)
            if start >= total:
                return self._answer(416, b"")
            status, headers = 206, {"Content-Range": f"bytes {start}-{total - 1}/{total}"}
        if archive.corrupt_downloads:
            archive.corrupt_downloads -= 1
            content = content[:-9] + bytes([content[-9] ^ 1]) + content[-8:]
        dropped = archive.drop_after.pop(0) if archive.drop_after else None
        return self._answer(status, content[start:], headers, dropped)

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None, sent: int | None = None) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[:sent])
        if sent is not None:
            self.close_connection = True

    def log_message(self, *arguments: Any) -> None:
        pass


@contextmanager
def serve(archive: Archive) -> Iterator[Archive]:
    """Serve it until the block ends."""
    handler = type("Handler", (_Handler,), {"archive": archive})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        archive.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield archive
        finally:
            server.shutdown()
            thread.join()


def md5(content: bytes) -> str:
    """The checksum that Dataverse states."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """Make a ZIP archive."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()
