"""Every form that a person can send gets the right status and sentence, in the page and over a real connection."""

import base64
import html
import re
import socket
import time
from collections.abc import Callable, Iterator

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from contract.api import ModelDescription
from tests.contract.test_form import FILE_NAMES
from tests.webapp.conftest import AnswerWith, LoopbackApi, MakePicture
from tests.webapp.test_app import free_port, start

FORM = "multipart/form-data; boundary=edge"
NO_PICTURE, EMPTY, UNREADABLE = "No picture was chosen", "The file is empty", "The form could not be read"

Post = Callable[..., TestResponse]


def part(disposition: bytes, content: bytes) -> bytes:
    return b"--edge\r\nContent-Disposition: form-data; " + disposition + b"\r\n\r\n" + content + b"\r\n"


def token_of(page: str) -> bytes:
    found = re.search(r'name="token" value="([^"]+)"', page)
    assert found
    return found[1].encode()


def title_of(page: str) -> str:
    found = re.search(r'class="refusal-title">([^<]+)<', page)
    return html.unescape(found[1]) if found else ""


@pytest.fixture
def post(page: FlaskClient) -> Post:
    """Send parts after the part with the token."""

    def post(*parts: bytes, end: bytes = b"--edge--\r\n", **options: str) -> TestResponse:
        token = part(b'name="token"', token_of(page.get("/").text))
        return page.post("/", data=b"".join([token, *parts, end]), **{"content_type": FORM, **options})

    return post


@pytest.mark.parametrize("disposition", FILE_NAMES.values(), ids=list(FILE_NAMES))
def test_a_picture_is_answered_whatever_its_file_name_is(
    api: LoopbackApi, post: Post, picture: MakePicture, disposition: bytes
) -> None:
    encoded = picture()
    assert post(part(b'name="image"' + disposition, encoded)).status_code == 200
    assert api.asked[0].body == encoded


def test_a_picture_without_a_file_name_is_answered(post: Post, picture: MakePicture) -> None:
    assert post(part(b'name="image"', picture(900, 700, kind="PNG", noise=True))).status_code == 200


def test_an_empty_field_beside_a_picture_is_ignored(post: Post, picture: MakePicture) -> None:
    empty = part(b'name="image"; filename=""', b"")
    assert post(empty, part(b'name="image"; filename="a.jpg"\r\nContent-Type: text/html', picture())).status_code == 200


JPEG_START = b"\xff\xd8\xff and so on"


@pytest.mark.parametrize(
    ("parts", "status", "title", "said"),
    [
        ([], 400, NO_PICTURE, "choose a picture first"),
        ([part(b'name="image"; filename=""\r\nContent-Type: application/octet-stream', b"")], 400, NO_PICTURE, ""),
        ([part(b'name="image"', b"")], 400, NO_PICTURE, ""),
        ([part(b'name="photo"; filename="a.jpg"', JPEG_START)], 400, NO_PICTURE, ""),
        ([part(b'name="image"; filename="a.jpg"', b"")], 400, EMPTY, "has no bytes"),
        ([part(b'name="image"; filename="L\xe4sion"', b"")], 400, EMPTY, "of a folder, choose a picture in it"),
        ([part(b'name="image"; filename="a.jpg"', JPEG_START)] * 2, 400, "Please send one picture", "choose one"),
        ([part(b'name="image"; filename="a.jpg"', JPEG_START)], 422, "The picture cannot be read", "damaged"),
        ([part(b'name="image"', b"lesion.jpg")], 415, "This picture format is not supported", "not a JPEG"),
        ([part(b'name="image"', b"x" * 900_000)], 415, "This picture format is not supported", "not a JPEG"),
        ([part(b'name="image"', b"data:image/png;base64," + base64.b64encode(b"x"))], 415, "", "data URL"),
        ([part(b'name="image"; filename="a.zip"', b"PK\x03\x04 and so on")], 415, "", "zip archive"),
    ],
)
def test_each_mistake_has_its_sentence(
    api: LoopbackApi, post: Post, parts: list[bytes], status: int, title: str, said: str
) -> None:
    answer = post(*parts)
    assert answer.status_code == status
    assert title_of(answer.text) == title or not title
    assert said in html.unescape(answer.text)
    assert 'enctype="multipart/form-data"' in answer.text, "the form is there again"
    assert api.asked == []


def test_a_form_that_cannot_be_read_is_not_called_expired(page: FlaskClient, post: Post, picture: MakePicture) -> None:
    complete = part(b'name="image"; filename="a.jpg"', picture())
    answers = [
        post(complete, end=b""),
        post(complete[:-900], end=b""),
        post(complete, content_type="multipart/form-data"),
        post(complete, content_type="multipart/form-data; boundary=other"),
        post(complete, content_type="application/x-www-form-urlencoded"),
        post(complete, content_type="image/jpeg"),
        post(*[complete] * 20),
        page.post("/"),
        page.post("/", data={"token": "x"}),
    ]
    assert [answer.status_code for answer in answers] == [400] * len(answers)
    assert {title_of(answer.text) for answer in answers} == {UNREADABLE}


def test_a_complete_form_without_a_valid_token_is_refused(page: FlaskClient, picture: MakePicture) -> None:
    image = part(b'name="image"; filename="a.jpg"', picture())
    for token in (b"", part(b'name="token"', b""), part(b'name="token"', b"\xff\x00")):
        answer = page.post("/", data=token + image + b"--edge--", content_type=FORM)
        assert (answer.status_code, title_of(answer.text)) == (403, "Please send the form again")


@pytest.mark.parametrize("path", ["/", "//", "/model/", "//model", "/healthz/"])
def test_extra_slashes_lead_to_the_same_page(
    page: FlaskClient, answer_with: AnswerWith, model: ModelDescription, path: str
) -> None:
    answer_with(model)
    for method in ("GET", "HEAD"):
        answer = page.open(path, method=method)
        assert (answer.status_code, answer.data == b"") == (200, method == "HEAD")


@pytest.fixture
def served(api: LoopbackApi) -> Iterator[tuple[str, int]]:
    """The address of the page under gunicorn, as in its container."""
    port = free_port()
    process = start({"CLASSIFY_URL": api.url, "CLASSIFY_AUTH": "none", "MAX_UPLOAD_MB": "2"}, port)
    try:
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                assert process.poll() is None
                time.sleep(0.1)
        yield "127.0.0.1", port
    finally:
        process.terminate()
        process.communicate(timeout=30)


def request(address: tuple[str, int], head: str, body: bytes = b"", *, wait: bool = False) -> bytes:
    """Send a request over a plain socket; with `wait`, send the body only after the server asks for it."""
    with socket.create_connection(address, timeout=30) as connection:
        connection.sendall(f"{head}Host: localhost\r\nConnection: close\r\n\r\n".encode())
        if wait:
            assert connection.recv(1000).startswith(b"HTTP/1.1 100 ")
        connection.sendall(body)  # raises if the server closes the connection before it has read everything
        answer = b""
        while received := connection.recv(65_536):
            answer += received
    return answer


def chunked(body: bytes) -> bytes:
    chunks = [body[start : start + 50_000] for start in range(0, len(body), 50_000)]
    return b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in [*chunks, b""])


def test_a_body_of_unknown_length_or_with_expect_gets_the_same_answer(
    served: tuple[str, int], picture: MakePicture
) -> None:
    token = token_of(request(served, "GET / HTTP/1.1\r\n").decode())

    def body(encoded: bytes) -> bytes:
        return part(b'name="token"', token) + part(b'name="image"; filename="a"', encoded) + b"--edge--\r\n"

    for encoded, status in ((picture(), b"200"), (JPEG_START, b"422"), (JPEG_START + bytes(9_000_000), b"413")):
        sent = body(encoded)
        length, unknown = f"Content-Length: {len(sent)}\r\n", "Transfer-Encoding: chunked\r\n"
        head = f"POST / HTTP/1.1\r\nContent-Type: {FORM}\r\n"
        answers = [
            request(served, head + length, sent),
            request(served, head + unknown, chunked(sent)),
            request(served, f"{head}{length}Expect: 100-continue\r\n", sent, wait=True),
            request(served, f"{head}{unknown}Expect: 100-continue\r\n", chunked(sent), wait=True),
        ]
        assert [answer.split()[1] for answer in answers] == [status] * 4
        if status == b"413":
            assert all(b"At most 2 MB" in answer for answer in answers)
