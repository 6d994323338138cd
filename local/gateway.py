"""A replacement for API Gateway's HTTP API: a request becomes an event of payload format 2.0, a result a response.

Its error responses are those of API Gateway, so that clients see locally what they will see on AWS.
"""

import base64
import json
import sys
import time
import uuid
from collections.abc import Iterable
from typing import Any, Protocol
from wsgiref.types import WSGIApplication

from werkzeug.wrappers import Request, Response

from local.errors import LocalStackError
from local.function.concurrency import ThrottledError
from local.function.emulator import FunctionFailedError
from local.processes import HOST

MAX_PAYLOAD_BYTES = 10_000_000  # API Gateway's quota for an HTTP API
MAX_EVENT_BYTES = 6_291_556  # Lambda's quota for a synchronous call
TEXT_TYPES = ("text/", "application/json", "application/javascript", "application/xml")  # what is not sent as base64


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
    """Word a request as an event of payload format 2.0.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
    """
    now = time.time()
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": request.path,
        "rawQueryString": request.query_string.decode("latin-1"),
        "headers": _joined(request.headers.items(), lower=True),
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "local",
            "domainName": request.host,
            "domainPrefix": "local",
            "http": {
                "method": request.method,
                "path": request.path,
                "protocol": request.environ.get("SERVER_PROTOCOL", "HTTP/1.1"),
                "sourceIp": request.remote_addr or HOST,
                "userAgent": request.headers.get("User-Agent", ""),
            },
            "requestId": uuid.uuid4().hex,
            "routeKey": "$default",
            "stage": "$default",
            "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
            "timeEpoch": int(now * 1000),
        },
        "isBase64Encoded": False,
    }
    if request.args:
        event["queryStringParameters"] = _joined(request.args.items(multi=True))
    if cookies := [f"{name}={value}" for name, value in request.cookies.items()]:
        event["cookies"] = cookies
    if body := request.get_data():
        is_text = request.mimetype.startswith(TEXT_TYPES)
        event["isBase64Encoded"] = not is_text
        event["body"] = body.decode(errors="replace") if is_text else base64.b64encode(body).decode()
    return event


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


def _joined(pairs: Iterable[tuple[str, str]], *, lower: bool = False) -> dict[str, str]:
    """Join the values of a repeated name with commas, as API Gateway does."""
    joined: dict[str, str] = {}
    for pair_name, value in pairs:
        name = pair_name.lower() if lower else pair_name
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def _error(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    return Response(json.dumps({"message": message}), status, headers, content_type="application/json")
