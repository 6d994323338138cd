"""Every input gets a 200 or a 4xx problem, with limited time and memory."""

import base64
import io
import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from contract.api import Prediction, Problem
from functions.classify.handler import Handler
from tests.functions.conftest import Ask, LambdaContext, request_event
from tests.odd_pictures import odd_pictures

PREDICTIONS = "/v1/predictions"
ROOT = Path(__file__).parents[2]
PICTURES = [odd.encoded for odd in odd_pictures().values() if len(odd.encoded) < 20_000]
SOUND = odd_pictures()["JPEG"].encoded

quick = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=150)
any_text = st.text(max_size=60)  # of all of Unicode: an event is JSON
content_types = st.one_of(
    st.sampled_from(
        [
            "image/jpeg",
            "IMAGE/PNG; q=1",
            "multipart/form-data",
            "multipart/form-data; boundary=-",
            "multipart/form-data; boundary=\x00",
            'multipart/form-data; boundary="a b',
            "multipart/form-data; boundary=" + "x" * 300,
            "multipart/form-data; charset=utf-16; boundary=b",
            "text/html",
            ";;;",
            "",
        ]
    ),
    any_text,
)


def check(response: dict[str, Any]) -> None:
    """Check that a response is a prediction, or a 4xx problem."""
    status, content_type = response["statusCode"], response["headers"]["Content-Type"]
    if status == 200:
        assert content_type == "application/json"
        Prediction.model_validate_json(response["body"])
        return
    assert 400 <= status < 500
    assert content_type == "application/problem+json"
    problem = Problem.model_validate_json(response["body"])
    assert problem.status == status
    assert problem.detail.endswith(".")
    json.dumps(response).encode()  # what the runtime client sends back


def prediction_event(body: Any, *, is_base64: bool, content_type: str = "image/jpeg", **changes: Any) -> dict[str, Any]:
    event = {**request_event("POST", PREDICTIONS), "headers": {"content-type": content_type}}
    return {**event, "body": body, "isBase64Encoded": is_base64, **changes}


@quick
@given(body=st.binary(max_size=300) | st.sampled_from(PICTURES), content_type=content_types)
def test_any_bytes_with_any_content_type_get_a_200_or_a_4xx(handler: Handler, body: bytes, content_type: str) -> None:
    event = prediction_event(base64.b64encode(body).decode(), is_base64=True, content_type=content_type)
    check(handler(event, LambdaContext()))


@quick
@given(text=st.text(max_size=200) | st.text("AZaz09+/=-_ \n", max_size=200), is_base64=st.booleans())
@example(text="\ud800", is_base64=False)  # half a character, which JSON can carry
@example(text="\ud800", is_base64=True)
@example(text="AAA", is_base64=True)
@example(text="AA==AA==", is_base64=True)
@example(text=base64.b64encode(SOUND).decode(), is_base64=False)
@example(text=base64.urlsafe_b64encode(SOUND).decode(), is_base64=True)
def test_any_text_as_base64_or_not_gets_a_200_or_a_4xx(handler: Handler, text: str, is_base64: bool) -> None:
    check(handler(prediction_event(text, is_base64=is_base64), LambdaContext()))


@quick
@given(
    headers=st.dictionaries(any_text, any_text, max_size=4) | st.none(),
    query=st.dictionaries(st.just("explain") | any_text, st.sampled_from(["true", "false", ""]) | any_text, max_size=3)
    | st.none(),
    cookies=st.lists(any_text, max_size=2),
)
def test_any_headers_and_any_query_get_a_200_or_a_4xx(
    handler: Handler, headers: dict[str, str] | None, query: dict[str, str] | None, cookies: list[str]
) -> None:
    event = prediction_event(base64.b64encode(SOUND).decode(), is_base64=True)
    changes = {"headers": headers, "queryStringParameters": query, "cookies": cookies}
    raw = {"rawQueryString": "&".join(f"{name}={value}" for name, value in (query or {}).items())}
    check(handler({**event, **changes, **raw}, LambdaContext()))


@quick
@given(
    path=st.text(max_size=80)
    | st.sampled_from(["/", "//", "/v1/predictions/", "/v1/../v1/model", "/v1/<x>", "/%00", "/\x00"]),
    method=st.sampled_from(["GET", "HEAD", "OPTIONS", "POST", "PUT", "TRACE", "PROPFIND", "get", ""])
    | st.text(max_size=9),
)
def test_any_unknown_path_with_any_method_gets_a_404_or_a_405(handler: Handler, path: str, method: str) -> None:
    event = request_event("POST", "/nowhere")
    event["requestContext"]["http"] |= {"method": method, "path": f"/nowhere{path}"}
    response = handler({**event, "rawPath": f"/nowhere{path}"}, LambdaContext())
    assert response["statusCode"] in (404, 405)
    if method.upper() == "HEAD":
        assert response["body"] == ""
    else:
        check(response)


LINES = st.sampled_from(
    [
        b"--b\r\n",
        b"--b--\r\n",
        b"--b--",
        b"--c\r\n",
        b"\r\n",
        b"\n",
        b'Content-Disposition: form-data; name="image"; filename="a.jpg"\r\n',
        b'Content-Disposition: form-data; name="image\r\n',
        b"Content-Disposition: form-data\r\n",
        b"Content-Disposition: attachment; name=image\r\n",
        b'Content-Disposition: form-data; name="other"\r\n',
        b"Content-Type: image/jpeg; charset=no-such-one\r\n",
        b"Content-Transfer-Encoding: base64\r\n",
        b"Content-Length: -1\r\n",
        b": \r\n",
        SOUND,
    ]
)


@quick
@given(parts=st.lists(LINES | st.binary(max_size=40), max_size=12))
def test_any_form_gets_a_200_or_a_4xx(handler: Handler, parts: list[bytes]) -> None:
    body = base64.b64encode(b"".join(parts)).decode()
    check(
        handler(prediction_event(body, is_base64=True, content_type="multipart/form-data; boundary=b"), LambdaContext())
    )


@quick
@given(
    fields=st.lists(st.tuples(st.sampled_from(["image", "Image", "other"]), st.sampled_from(PICTURES)), max_size=4),
    filename=st.text(max_size=30),
)
def test_any_valid_form_gets_the_status_of_its_picture(
    ask: Ask, fields: list[tuple[str, bytes]], filename: str
) -> None:
    data = [(name, (io.BytesIO(encoded), filename or "a", "image/jpeg")) for name, encoded in fields]
    form: dict[str, list[Any]] = {}
    for name, value in data:
        form.setdefault(name, []).append(value)
    response = ask("POST", PREDICTIONS, data=form, content_type="multipart/form-data")
    check(response)
    sent = [encoded for name, encoded in fields if name == "image"]
    statuses = [odd.status for odd in odd_pictures().values() if sent == [odd.encoded]]
    expected = statuses[0] if statuses else 400  # no picture, or several
    assert response["statusCode"] == expected


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_all_orientations_of_a_picture_get_the_same_size_back(ask: Ask, kind: str) -> None:
    sizes = []
    for orientation in range(1, 9):
        encoded = odd_pictures()[f"{kind}, EXIF orientation {orientation}"].encoded
        image = Prediction.model_validate_json(ask("POST", PREDICTIONS, data=encoded)["body"]).image
        sizes.append((image.width, image.height))
    assert sizes == [(96, 72)] * 4 + [(72, 96)] * 4


LIMITED = """
import contextlib, io, json, pickle, resource, sys
from pathlib import Path
from functions.classify.handler import Handler
from tests.functions.conftest import LambdaContext, request_event, settings_for
bundle, cache, bombs, real = pickle.load(sys.stdin.buffer)
with contextlib.redirect_stdout(io.StringIO()):
    handler = Handler(settings_for(bundle, Path(cache)))
    ask = lambda body: handler(request_event("POST", "/v1/predictions", data=body), LambdaContext())
    code = lambda body: json.loads(ask(body)["body"])["code"]
    ask(bombs[0])  # load what the first request loads
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + 24_000_000
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    codes = [*{code(bomb) for bomb in bombs}, code(real)]
print(*codes)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="no other system limits the memory of one process so")
def test_decompression_bombs_are_refused_with_too_little_memory_for_their_pixels(bundle: Path, tmp_path: Path) -> None:
    """The process has 24 MB left. A valid picture of 30 megapixels shows that the limit works."""
    bombs = [odd.encoded for odd in odd_pictures().values() if odd.code == "too_many_pixels"]
    sent = pickle.dumps((bundle.as_uri(), str(tmp_path), bombs, odd_pictures()["PNG of 30 megapixels"].encoded))
    done = subprocess.run([sys.executable, "-c", LIMITED], cwd=ROOT, input=sent, capture_output=True, check=False)
    assert done.stdout.split() == [b"too_many_pixels", b"unreadable_image"], done.stderr.decode()[-2000:]
