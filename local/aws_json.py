"""HTTP responses in AWS's JSON protocol."""

import json
from typing import Any

from werkzeug.wrappers import Response

CONTENT_TYPE = "application/x-amz-json-1.1"


def json_response(content: dict[str, Any]) -> Response:
    """Return a successful response."""
    return Response(json.dumps(content), content_type=CONTENT_TYPE)


def error_response(status: int, code: str, message: str) -> Response:
    """Return an error; boto3 raises it as the exception that is named `code`."""
    body = json.dumps({"__type": code, "message": message, "Message": message})
    return Response(body, status, {"x-amzn-ErrorType": code}, content_type=CONTENT_TYPE)
