"""A picture, the event that API Gateway makes of it, and what Lambda hands over beside it."""

import base64
from typing import Any


class Context:
    """What Lambda hands over beside the event."""

    function_name, function_version, memory_limit_in_mb = "classify", "$LATEST", 1769
    invoked_function_arn, aws_request_id = "arn:aws:lambda:us-east-1:000000000000:function:classify", "benchmark"


def event_with(encoded: bytes) -> dict[str, Any]:
    """Word a picture as the event of payload format 2.0 that API Gateway sends."""
    http = {"method": "POST", "path": "/v1/predictions", "sourceIp": "127.0.0.1", "userAgent": "benchmark"}
    return {
        "version": "2.0",
        "rawPath": "/v1/predictions",
        "rawQueryString": "",
        "headers": {"content-type": "image/jpeg"},
        "requestContext": {"http": http, "stage": "$default", "requestId": "benchmark"},
        "body": base64.b64encode(encoded).decode(),
        "isBase64Encoded": True,
    }
