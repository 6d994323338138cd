"""Forms sent to the function: any file name is accepted, and each mistake has its sentence."""

import base64
import io
import zipfile
from typing import Any

import pytest

from contract.api import Prediction, Problem
from functions.classify.handler import Handler
from tests.contract.test_form import FILE_NAMES
from tests.functions.conftest import Ask, LambdaContext, request_event
from tests.odd_pictures import odd_pictures

PREDICTIONS = "/v1/predictions"
PICTURE = odd_pictures()["JPEG"].encoded


def part(disposition: bytes, content: bytes, name: bytes = b"image") -> bytes:
    return (
        b'--b\r\nContent-Disposition: form-data; name="' + name + b'"' + disposition + b"\r\n\r\n" + content + b"\r\n"
    )


def send(ask: Ask, *parts: bytes) -> tuple[int, str]:
    """Send a form; return the status, and the detail of the problem."""
    response = ask("POST", PREDICTIONS, data=b"".join(parts) + b"--b--", content_type="multipart/form-data; boundary=b")
    if response["statusCode"] == 200:
        Prediction.model_validate_json(response["body"])
        return 200, ""
    return response["statusCode"], Problem.model_validate_json(response["body"]).detail


@pytest.mark.parametrize("disposition", FILE_NAMES.values(), ids=list(FILE_NAMES))
def test_a_picture_is_answered_whatever_its_file_name_is(ask: Ask, disposition: bytes) -> None:
    assert send(ask, part(disposition, PICTURE)) == (200, "")


@pytest.mark.parametrize("kind", ["image/gif", "text/plain", "application/x-\xe4", ""])
def test_the_content_type_of_the_field_does_not_matter(ask: Ask, kind: str) -> None:
    headers = b'; filename="a"\r\nContent-Type: ' + kind.encode("latin-1")
    assert send(ask, part(headers, PICTURE)) == (200, "")


def test_other_fields_and_empty_ones_are_ignored(ask: Ask) -> None:
    other = part(b'; filename="b.gif"', b"GIF89a", name=b"photo")
    assert send(ask, other, part(b'; filename=""', b""), part(b'; filename="a.jpg"', PICTURE), other) == (200, "")


@pytest.mark.parametrize(
    ("parts", "status", "said"),
    [
        ([], 400, "no field named image"),
        ([part(b'; filename="a.jpg"', PICTURE, name=b"photo")], 400, "no field named image"),
        ([part(b'; filename="a.jpg"', b"")], 400, "no bytes"),
        ([part(b'; filename=""', b"")], 400, "no bytes"),
        ([part(b'; filename="a.jpg"', PICTURE)] * 2, 400, "2 pictures"),
        ([part(b"", b"picture.jpg")], 400, "-F image=@picture.jpg"),
        ([part(b"", "C:\\Bilder\\Läsion.jpg".encode())], 400, "-F image=@picture.jpg"),
        ([part(b"", b"GIF89a\x01\x00")], 415, "not a JPEG"),
        ([part(b'; filename="a.txt"', b"picture.jpg")], 415, "not a JPEG"),
        ([part(b'; filename="a.jpg"', base64.b64encode(PICTURE))], 415, "base64 text"),
    ],
)
def test_each_mistake_in_a_form_has_its_sentence(ask: Ask, parts: list[bytes], status: int, said: str) -> None:
    answered, detail = send(ask, *parts)
    assert answered == status
    assert said in detail


def zip_of(name: str, content: bytes) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr(name, content)
    return archive.getvalue()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"data:image/jpeg;base64," + base64.b64encode(PICTURE), "data URL"),
        *((base64.b64encode(odd_pictures()[kind].encoded), "base64 text") for kind in ("JPEG", "PNG", "WebP")),
        (zip_of("a.jpg", PICTURE), "zip archive"),
        (zip_of("a.jpg", PICTURE)[-22:], "empty zip archive"),
    ],
)
def test_a_file_that_is_often_sent_by_mistake_has_its_sentence(ask: Ask, body: bytes, said: str) -> None:
    response = ask("POST", PREDICTIONS, data=body, content_type="image/jpeg")
    problem = Problem.model_validate_json(response["body"])
    assert (problem.status, problem.code) == (415, "unsupported_picture")
    assert said in problem.detail


@pytest.mark.parametrize("missing", [{"body": None}, {"body": ""}, {"isBase64Encoded": None, "body": None}])
def test_a_form_without_a_body_is_refused(handler: Handler, missing: dict[str, Any]) -> None:
    event = request_event("POST", PREDICTIONS, data=b"x", content_type="multipart/form-data; boundary=b")
    problem = Problem.model_validate_json(handler({**event, **missing}, LambdaContext())["body"])
    assert (problem.status, problem.detail) == (400, "The request has no picture in its body.")
