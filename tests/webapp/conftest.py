"""Fixtures for the tests of the page: an API on loopback with scripted answers, pictures, and the page."""

import io
import os
import random
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image, ImageDraw
from pydantic import SecretStr
from werkzeug.test import TestResponse

from contract.api import (
    ClassProbability,
    Explanation,
    Limits,
    Metric,
    ModelDescription,
    OperatingPoint,
    Picture,
    Prediction,
    Problem,
    Square,
    Timing,
)
from contract.errors import AnalyzerError
from contract.image import CONTENT_TYPES
from contract.labels import BY_CODE, CODES, DISCLAIMER
from contract.picture.limits import MAX_PIXELS, MIN_SIDE_PX
from webapp.app import create_app
from webapp.settings import Settings

VERSION = "20250102T030405Z-0123abcd"
SECRET_KEY = "a key that is used only in tests, and is long enough"
PROBABILITIES = {"mel": 0.62, "nv": 0.21, "bkl": 0.1, "bcc": 0.04, "akiec": 0.015, "df": 0.01, "vasc": 0.005}


Send = Callable[..., TestResponse]
AnswerWith = Callable[..., None]
MakePicture = Callable[..., bytes]
MakePrediction = Callable[..., Prediction]
WatchWrites = Callable[[], AbstractContextManager[list[str]]]


@dataclass
class Answer:
    """One answer of the API on loopback, and how its delivery fails."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    delay_s: float = 0  # before the answer starts
    keep: float = 1.0  # share of the body that is sent before the connection closes; 0: not even a status
    trickle_s: float = 0  # between single bytes of the body


@dataclass(frozen=True)
class Asked:
    """One request as the API received it."""

    method: str
    path: str
    headers: dict[str, str]  # names in lower case
    body: bytes
    connection: int  # the caller's port: equal for requests on one connection


class LoopbackApi:
    """A real HTTP server in place of the API. It gives its `answers` in turn, and repeats the last one."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.answers: list[Answer] = []
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # else an answer in two writes is delayed by 40 ms

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                api.asked.append(Asked(self.command, self.path, headers, body, self.client_address[1]))
                api.give(self, api.answers.pop(0) if len(api.answers) > 1 else api.answers[0])

            do_GET = do_POST = answer  # noqa: N815 - the names that http.server calls

            def log_message(self, format: str, *args: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def give(self, handler: BaseHTTPRequestHandler, answer: Answer) -> None:
        time.sleep(answer.delay_s)
        if answer.keep == 0:
            handler.close_connection = True
            return
        try:
            handler.send_response(answer.status)
            for name, value in {**answer.headers, "Content-Length": str(len(answer.body))}.items():
                handler.send_header(name, value)
            handler.end_headers()
            if answer.trickle_s:
                for position in range(len(answer.body)):
                    handler.wfile.write(answer.body[position : position + 1])
                    time.sleep(answer.trickle_s)
            else:
                handler.wfile.write(answer.body[: int(len(answer.body) * answer.keep)])
            handler.close_connection = handler.close_connection or answer.keep < 1
        except (BrokenPipeError, ConnectionResetError):  # the page timed out, which some tests expect
            handler.close_connection = True

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def api() -> Iterator[LoopbackApi]:
    """The API; it answers every picture with a prediction."""
    server = LoopbackApi()
    server.answers = [Answer(make_prediction().model_dump_json().encode())]
    yield server
    server.stop()


@pytest.fixture
def settings(api: LoopbackApi) -> Settings:
    return Settings(
        classify_url=api.url,
        classify_auth="none",
        classify_timeout_s=2,
        secret_key=SecretStr(SECRET_KEY),
        trusted_hosts=(),
        max_upload_mb=20,
    )


@pytest.fixture
def app(settings: Settings) -> Flask:
    return create_app(settings)


@pytest.fixture
def page(app: Flask) -> FlaskClient:
    """A browser without JavaScript."""
    return app.test_client()


@pytest.fixture
def send(page: FlaskClient) -> Send:
    """Open the form, and send it with a picture."""

    def send(encoded: bytes, filename: str = "lesion.jpg", headers: dict[str, str] | None = None) -> TestResponse:
        token = re.search(r'name="token" value="([^"]+)"', page.get("/").text)
        assert token
        # Werkzeug's test client would write a large form to a temporary file.
        quoted = filename.replace('"', "%22")  # as browsers do
        body = (
            f'--edge\r\nContent-Disposition: form-data; name="token"\r\n\r\n{token[1]}\r\n'
            f'--edge\r\nContent-Disposition: form-data; name="image"; filename="{quoted}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        ).encode()
        body += encoded + b"\r\n--edge--\r\n"
        return page.post("/", data=body, content_type="multipart/form-data; boundary=edge", headers=headers)

    return send


@pytest.fixture
def answer_with(api: LoopbackApi) -> AnswerWith:
    """Set the answer of the API: a message, an error, or any bytes."""

    def answer_with(message: Any, **answer: Any) -> None:
        if isinstance(message, AnalyzerError):
            problem = Problem.of(message, request_id="request-1")
            answer = {"status": problem.status, "headers": {"Content-Type": "application/problem+json"}} | answer
            message = problem
        body = message if isinstance(message, bytes) else message.model_dump_json().encode()
        api.answers = [Answer(body, **answer)]

    return answer_with


@pytest.fixture
def prediction() -> MakePrediction:
    return make_prediction


@pytest.fixture
def model() -> ModelDescription:
    return make_model()


@pytest.fixture
def answer() -> type[Answer]:
    return Answer


@pytest.fixture
def picture() -> MakePicture:
    return make_picture


@pytest.fixture(scope="session")
def real_picture() -> bytes:
    """A picture of HAM10000 if the data set is available, else a drawn one of the same size."""
    folder = Path(os.environ.get("HAM10000_DIR", "data/ham10000"))
    found = sorted(folder.glob("originals/*.jpg")) or sorted(folder.glob("*images*/*.jpg"))
    return found[0].read_bytes() if found else make_picture()


def make_prediction(outcome: str = "see_a_doctor", explain: bool = True, **changed: Any) -> Prediction:
    """An answer of the API: melanoma is likeliest, with its evidence at the top left."""
    classes = [
        ClassProbability(code=code, name=BY_CODE[code].name, malignant=BY_CODE[code].malignant, probability=value)
        for code, value in PROBABILITIES.items()
    ]
    grid = [[max(0.0, 1 - 0.2 * (row + column)) for column in range(7)] for row in range(7)]
    fields = {
        "prediction_id": "prediction-1",
        "model_version": VERSION,
        "outcome": outcome,
        "unfamiliar": outcome == "unfamiliar",
        "classes": classes,
        "malignant_probability": 0.675,
        "image": Picture(width=600, height=450, square=Square(left=75, top=0, side=450), quality=[]),
        "explanation": Explanation(code="mel", grid=grid) if explain else None,
        "timing_ms": Timing(decode=2.5, inference=20.0, total=24.0),
        "disclaimer": DISCLAIMER,
    }
    return Prediction.model_validate(fields | changed)


def make_model() -> ModelDescription:
    return ModelDescription(
        version=VERSION,
        labels=list(CODES),
        input_size_px=224,
        metrics={
            "balanced_accuracy": Metric(value=0.812, low=0.783, high=0.841),
            "melanoma_auc": Metric(value=0.934, low=0.918, high=0.949),
        },
        operating_points={
            "any_malignant": OperatingPoint(
                threshold=0.275, sensitivity=0.953, specificity=0.781, classes=["akiec", "bcc", "mel"]
            )
        },
        limits=Limits(
            max_body_bytes=4_500_000, max_pixels=MAX_PIXELS, min_side_px=MIN_SIDE_PX, content_types=list(CONTENT_TYPES)
        ),
        licence="CC BY-NC 4.0: non-commercial use only",
        intended_use="Research and education on dermatoscopic pictures.",
        disclaimer=DISCLAIMER,
    )


def make_picture(
    width: int = 600, height: int = 450, kind: str = "JPEG", exif: Any = None, noise: bool = False
) -> bytes:
    """Draw a brown spot on skin; with noise=True, a picture that hardly compresses."""
    if noise:
        drawn = Image.frombytes("RGB", (width, height), random.Random(1).randbytes(3 * width * height))
    else:
        drawn = Image.new("RGB", (width, height), (214, 170, 150))
        ImageDraw.Draw(drawn).ellipse((width * 0.35, height * 0.3, width * 0.65, height * 0.7), fill=(96, 58, 44))
    encoded = io.BytesIO()
    drawn.save(encoded, kind, quality=98 if noise else 90, **({"exif": exif} if exif else {}))
    return encoded.getvalue()


_opened_to_write: list[str] | None = None


def _note_write(event: str, arguments: tuple[Any, ...]) -> None:
    """Record the files that this process opens for writing during a test."""
    if event == "open" and _opened_to_write is not None:
        path, _, flags = arguments
        if isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR):
            _opened_to_write.append(str(path))


@pytest.fixture(scope="session")
def writes() -> WatchWrites:
    """Watch which files are opened for writing, temporary files included, by Python's audit events."""
    sys.addaudithook(_note_write)  # it cannot be removed, so it records only while a test watches

    @contextmanager
    def watch() -> Iterator[list[str]]:
        global _opened_to_write
        files: list[str] = []
        _opened_to_write = files
        try:
            yield files
        finally:
            _opened_to_write = None

    return watch
