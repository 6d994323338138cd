"""The event that API Gateway makes of a picture, and the context that Lambda passes with it."""

from typing import Any

from contract.events import http_event


class Context:
    """The context object of Lambda, the second argument of a handler."""

    function_name, function_version, memory_limit_in_mb = "classify", "$LATEST", 1769
    invoked_function_arn, aws_request_id = "arn:aws:lambda:us-east-1:000000000000:function:classify", "benchmark"


def event_with(encoded: bytes) -> dict[str, Any]:
    """Make the event that API Gateway sends for a picture."""
    return http_event("POST", "/v1/predictions", headers=[("content-type", "image/jpeg")], body=encoded)
