"""The gateway turns a request into an event of payload format 2.0, and a result into a response."""

import base64
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from waitress.server import create_server
from werkzeug.test import Client, EnvironBuilder
from werkzeug.wrappers import Request

from local.function.concurrency import ThrottledError
from local.function.emulator import FunctionFailedError
from local.gateway import MAX_PAYLOAD_BYTES, create_gateway, event_of
from local.processes import HOST, free_port


def event(path: str, **request: Any) -> dict[str, Any]:
    return event_of(Request(EnvironBuilder(path, **request).get_environ()))


class FakeFunction:
    """A function that records its events, and returns a result or raises an error."""

    def __init__(self, result: dict[str, Any] | Exception) -> None:
        self.result = result
        self.events: list[dict[str, Any]] = []

    def invoke(self, event: dict[str, Any]) -> dict[str, Any]:
        self.events.append(event)
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


def call(result: dict[str, Any] | Exception, path: str = "/", **request: Any) -> Any:
    function = FakeFunction(result)
    response = Client(create_gateway(function)).open(path, **request)
    return response, function.events


def test_an_event_has_the_fields_of_payload_format_2() -> None:
    made = event(
        "/v1/x%20y?a=1&a=2&b=%26", method="POST", headers=[("X-One", "1"), ("Cookie", "c=d; e=f")], data=b"\xff"
    )
    assert made["version"] == "2.0"
    assert made["rawPath"] == "/v1/x y"
    assert made["rawQueryString"] == "a=1&a=2&b=%26"
    assert made["queryStringParameters"] == {"a": "1,2", "b": "&"}
    assert made["headers"]["x-one"] == "1"
    assert made["cookies"] == ["c=d", "e=f"]
    assert made["requestContext"]["http"]["method"] == "POST"
    assert made["requestContext"]["http"]["path"] == "/v1/x y"
    assert (made["isBase64Encoded"], made["body"]) == (True, base64.b64encode(b"\xff").decode())


def test_a_text_body_is_not_base64_and_an_empty_body_is_left_out() -> None:
    made = event("/", method="POST", data='{"ä": 1}'.encode(), content_type="application/json")
    assert (made["isBase64Encoded"], made["body"]) == (False, '{"ä": 1}')
    assert "body" not in event("/")
    assert "queryStringParameters" not in event("/")


def test_status_headers_cookies_and_body_of_a_result_are_returned() -> None:
    response, _ = call(
        {
            "statusCode": 201,
            "headers": {"Content-Type": "image/png", "X-Two": "2"},
            "cookies": ["a=b", "c=d"],
            "body": base64.b64encode(b"\x89PNG").decode(),
            "isBase64Encoded": True,
        }
    )
    assert (response.status_code, response.data) == (201, b"\x89PNG")
    assert response.headers["Content-Type"] == "image/png"
    assert response.headers["X-Two"] == "2"
    assert response.headers.getlist("Set-Cookie") == ["a=b", "c=d"]


def test_a_result_without_a_status_is_a_json_body() -> None:
    response, _ = call({"hello": "world"})
    assert (response.status_code, response.json) == (200, {"hello": "world"})


@pytest.mark.parametrize(
    ("failure", "status", "message"),
    [
        (ThrottledError(), 429, "Too Many Requests"),
        (FunctionFailedError("it raised"), 500, "Internal Server Error"),
    ],
)
def test_a_failed_or_throttled_call_gets_the_response_of_api_gateway(
    failure: Exception, status: int, message: str
) -> None:
    response, _ = call(failure)
    assert (response.status_code, response.json) == (status, {"message": message})


def test_a_body_above_a_quota_gets_413_and_the_function_is_not_called() -> None:
    for size in (MAX_PAYLOAD_BYTES + 1, 5_000_000):  # above API Gateway's quota; above Lambda's after base64
        response, events = call({}, method="POST", data=b"x" * size, content_type="image/jpeg")
        assert (response.status_code, events) == (413, [])


@pytest.fixture
def served() -> Iterator[tuple[tuple[str, int], FakeFunction]]:
    """The address of a gateway under its server, and the function behind it."""
    function = FakeFunction({"statusCode": 200, "body": ""})
    port = free_port()
    server = create_server(create_gateway(function), host=HOST, port=port)
    thread = threading.Thread(target=server.run)
    thread.start()
    yield (HOST, port), function
    server.close()
    server.task_dispatcher.shutdown()
    thread.join(timeout=10)


def request(address: tuple[str, int], text: str) -> bytes:
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(text.encode())
        answer = b""
        while received := connection.recv(65_536):
            answer += received
    return answer


def test_head_gets_the_headers_of_the_function_and_no_body(served: tuple[tuple[str, int], FakeFunction]) -> None:
    address, function = served
    for body in ("", "a whole body"):  # the function's, and that of a function that does not know HEAD
        function.result = {"statusCode": 200, "headers": {"Content-Length": "12"}, "body": body}
        answer = request(address, "HEAD /v1/health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        head, _, rest = answer.partition(b"\r\n\r\n")
        assert (head.split()[1], rest) == (b"200", b"")
        assert head.lower().count(b"content-length: 12") == 1
        assert function.events[-1]["requestContext"]["http"]["method"] == "HEAD"


@pytest.mark.parametrize("path", ["/v1/health/", "/v1//health", "/v1/%C3%A4", "/v1/%E4"])
def test_a_path_reaches_the_function_decoded_with_all_its_slashes(
    served: tuple[tuple[str, int], FakeFunction], path: str
) -> None:
    address, function = served
    request(address, f"OPTIONS {path}?a=/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    expected = path.replace("%C3%A4", "ä").replace("%E4", "\N{REPLACEMENT CHARACTER}")
    assert function.events[-1]["rawPath"] == function.events[-1]["requestContext"]["http"]["path"] == expected


def test_a_body_of_unknown_length_reaches_the_function(served: tuple[tuple[str, int], FakeFunction]) -> None:
    address, function = served
    head = "POST /v1/predictions HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    request(address, f"{head}3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
    assert base64.b64decode(function.events[-1]["body"]) == b"abcde"
