"""A stand-in for API Gateway's HTTP API: HTTP in, payload format 2.0 to the function, and its response back.

Its own refusals are worded as API Gateway words them, so that whoever calls meets here what will come from AWS.
"""

import base64
import json
import sys
from collections.abc import Callable, Iterable
from typing import Any

from werkzeug.wrappers import Request, Response

from contract.events import http_event
from local.emulator import FunctionFailedError, ThrottledError
from local.errors import LocalStackError
from local.processes import HOST
from local.versions import Invocable

MAX_PAYLOAD_BYTES = 10_000_000  # API Gateway's quota for an HTTP API
MAX_EVENT_BYTES = 6_291_556  # Lambda's quota for a synchronous call

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]


def create_gateway(function: Invocable) -> Wsgi:
    """Build the WSGI application in front of a function."""

    @Request.application
    def gateway(request: Request) -> Response:
        if (request.content_length or 0) > MAX_PAYLOAD_BYTES:
            return _refusal(413, "Request Entity Too Large")
        event = event_of(request)
        if len(event.get("body", "")) > MAX_EVENT_BYTES:
            return _refusal(413, "Request Entity Too Large")
        try:
            return response_of(function.invoke(event))
        except ThrottledError:
            return _refusal(429, "Too Many Requests", {"Retry-After": "1"})
        except (FunctionFailedError, LocalStackError) as error:
            print(f"500 for {request.method} {request.path}: {error}", file=sys.stderr, flush=True)  # noqa: T201
            return _refusal(500, "Internal Server Error")

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
    """Turn what the function returned into a response; without a statusCode it is taken as a JSON body."""
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


def _refusal(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    return Response(json.dumps({"message": message}), status, headers, content_type="application/json")
