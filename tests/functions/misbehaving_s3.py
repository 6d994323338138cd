"""An S3 on loopback with scripted failures: throttling, broken connections, slow bodies, refusals."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ERROR = "<?xml version='1.0'?><Error><Code>{}</Code><Message>x</Message></Error>"


class MisbehavingS3:
    """Serves objects, but first follows the `script` of a key, one entry for each request.

    Entries: "503 SlowDown", "403 AccessDenied" and the like; "cut": half of the body, then the end; "reset": no answer;
    "silence": no answer in time; "trickle": a slow body; "redirect"; "other": wrong bytes of the same length.
    """

    def __init__(self, objects: dict[str, bytes]) -> None:
        self.objects = objects
        self.script: dict[str, list[str]] = {}
        self.always: str | None = None  # for every request without a script entry
        self.asked: Counter[str] = Counter()
        self.times: list[float] = []
        self.stopping = threading.Event()
        self.url = ""

    def next_for(self, key: str) -> str | None:
        self.asked[key] += 1
        self.times.append(time.monotonic())
        return self.script[key].pop(0) if self.script.get(key) else self.always


class _Request(BaseHTTPRequestHandler):
    server: "_Server"
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        s3 = self.server.s3
        key = self.path.split("/", 2)[2]
        body, act = s3.objects.get(key), s3.next_for(key.rsplit("/", 1)[-1])
        if act is None and body is None:
            act = "404 NoSuchKey"
        if act == "reset":
            self.close_connection = True
        elif act == "silence":
            s3.stopping.wait(20)
        elif act and act[0].isdigit():
            status, code = act.split()
            self._answer(int(status), ERROR.format(code).encode())
        elif act == "redirect":
            self.send_response(307)
            self.send_header("Location", f"{s3.url}/elsewhere/{key}")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif body is not None:
            self._send(act, body)

    def _send(self, act: str | None, body: bytes) -> None:
        if act == "other":
            body = bytes(len(body))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if act == "cut":
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
        elif act == "trickle":
            for byte in body:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                if self.server.s3.stopping.wait(0.05):
                    break
            self.close_connection = True
        else:
            self.wfile.write(body)

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    s3: MisbehavingS3

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # the client closed the connection


@contextmanager
def misbehaving_s3(objects: dict[str, bytes]) -> Iterator[MisbehavingS3]:
    """Serve until the block ends."""
    with _Server(("127.0.0.1", 0), _Request) as server:
        server.daemon_threads = True
        server.s3 = MisbehavingS3(objects)
        server.s3.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server.s3
        finally:
            server.s3.stopping.set()
            server.shutdown()
            thread.join()
