"""A replacement for API Gateway's HTTP API: turns requests into events (payload format 2.0) and results into responses.

Its error responses are those of API Gateway, so that clients see locally what they will see on AWS.
"""

import base64
import json
import sys
from typing import Any, Protocol
from wsgiref.types import WSGIApplication

from werkzeug.wrappers import Request, Response

from contract.events import http_event
from local.errors import LocalStackError
from local.function.concurrency import ThrottledError
from local.function.emulator import FunctionFailedError
from local.processes import HOST

MAX_PAYLOAD_BYTES = 10_000_000  # API Gateway's quota for an HTTP API
MAX_EVENT_BYTES = 6_291_556  # Lambda's quota for a synchronous call


class Invocable(Protocol):
    """A function that can be called."""

    def invoke(self, event: dict[str, Any]) -> dict[str, Any]:
        """Call it."""


def create_gateway(function: Invocable) -> WSGIApplication:
    """Build the WSGI application in front of a function."""

    @Request.application
    def gateway(request: Request) -> Response:
        if (request.content_length or 0) > MAX_PAYLOAD_BYTES:
            return _error(413, "Request Entity Too Large")
        event = event_of(request)
        if len(event.get("body", "")) > MAX_EVENT_BYTES:
            return _error(413, "Request Entity Too Large")
        try:
            return response_of(function.invoke(event))
        except ThrottledError:
            return _error(429, "Too Many Requests", {"Retry-After": "1"})
        except (FunctionFailedError, LocalStackError) as error:
            print(f"500 for {request.method} {request.path}: {error}", file=sys.stderr, flush=True)  # noqa: T201
            return _error(500, "Internal Server Error")

    return gateway


def event_of(request: Request) -> dict[str, Any]:
    """Turn a request into an event of payload format 2.0."""
    return http_event(
        request.method,
        request.path,
        query=request.query_string.decode(errors="replace"),
        headers=request.headers.items(),
        body=request.get_data(),
        source_ip=request.remote_addr or HOST,
        protocol=request.environ.get("SERVER_PROTOCOL", "HTTP/1.1"),
    )


def response_of(result: dict[str, Any]) -> Response:
    """Turn the function's result into a response. A result without statusCode is the JSON body of a 200."""
    if "statusCode" not in result:
        return Response(json.dumps(result), content_type="application/json")
    text = result.get("body") or ""
    body = base64.b64decode(text) if result.get("isBase64Encoded") else text
    response = Response(body, result["statusCode"], content_type="text/plain;charset=utf-8")
    for name, value in (result.get("headers") or {}).items():
        response.headers[name] = value
    for cookie in result.get("cookies") or []:
        response.headers.add("Set-Cookie", cookie)
    return response


def _error(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    return Response(json.dumps({"message": message}), status, headers, content_type="application/json")
