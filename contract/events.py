"""An HTTP request as the event that API Gateway sends to the function (payload format 2.0)."""

import base64
import time
import uuid
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import parse_qsl

TEXT_TYPES: Final = ("text/", "application/json", "application/javascript", "application/xml")  # never sent as base64
LOOPBACK: Final = "127.0.0.1"


def http_event(
    method: str,
    path: str,
    *,
    query: str = "",
    headers: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
    source_ip: str = LOOPBACK,
    protocol: str = "HTTP/1.1",
) -> dict[str, Any]:
    """Make the event of one request.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html

    Args:
        method: in upper case.
        path: decoded, without the query.
        query: as in the URL, without the question mark.
        headers: names and values; a name may occur more than once.
        body: text if the Content-Type is one of `TEXT_TYPES`; all else travels as base64.
        source_ip: of the client.
        protocol: HTTP version of the request.
    """
    joined = _join((name.lower(), value) for name, value in headers)
    now_s = time.time()
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": joined,
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "local",
            "domainName": joined.get("host", "localhost"),
            "domainPrefix": "local",
            "http": {
                "method": method,
                "path": path,
                "protocol": protocol,
                "sourceIp": source_ip,
                "userAgent": joined.get("user-agent", ""),
            },
            "requestId": uuid.uuid4().hex,
            "routeKey": "$default",
            "stage": "$default",
            "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now_s)),
            "timeEpoch": int(now_s * 1000),
        },
        "isBase64Encoded": False,
    }
    if parameters := _join(parse_qsl(query, keep_blank_values=True)):
        event["queryStringParameters"] = parameters
    if cookies := [cookie.strip() for cookie in joined.get("cookie", "").split(";") if cookie.strip()]:
        event["cookies"] = cookies
    if body:
        is_text = joined.get("content-type", "").lower().startswith(TEXT_TYPES)
        event["isBase64Encoded"] = not is_text
        event["body"] = body.decode(errors="replace") if is_text else base64.b64encode(body).decode()
    return event


def _join(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Join the values of a repeated name with commas, as API Gateway does."""
    joined: dict[str, str] = {}
    for name, value in pairs:
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined
