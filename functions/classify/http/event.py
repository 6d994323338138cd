"""Checks the event of an HTTP request, and reduces it to the fields that the routes read."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError

from contract.errors import MalformedRequestError

DEFAULT_STAGE = "$default"  # its name is not part of the path


class _Http(BaseModel):
    method: str
    path: str | None = None


class _RequestContext(BaseModel):
    http: _Http
    stage: str | None = None


class _Event(BaseModel):
    request_context: Annotated[_RequestContext, Field(alias="requestContext")]
    raw_path: Annotated[str | None, Field(alias="rawPath")] = None
    query: Annotated[dict[str, str] | None, Field(alias="queryStringParameters")] = None
    headers: dict[str, str] | None = None
    body: str | None = None
    is_base64: Annotated[bool | None, Field(alias="isBase64Encoded")] = None


def is_http_event(event: Mapping[str, Any]) -> bool:
    """Return whether an event is an HTTP request of any kind; its sender then expects a status and a body."""
    context = event.get("requestContext")
    return "rawPath" in event or "httpMethod" in event or (isinstance(context, Mapping) and "http" in context)


def read_event(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return an event of payload format 2.0 with all fields that the routes read.

    Only the method and the path are required, so an event written by hand can be short. The path has no stage, no
    slash at its end and no double slashes: clients that join a URL and a path often add one. It is not redirected,
    because the signature of a request covers its path.

    Raises:
        MalformedRequestError: the event has another format, or a field is missing or has a wrong type.
    """
    if "httpMethod" in event:
        raise MalformedRequestError(
            "The event has the format of a REST API or a load balancer. This function answers an HTTP API with payload "
            "format 2.0."
        )
    try:
        checked = _Event.model_validate(event)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise MalformedRequestError(f"The event is not valid at {where}: {first['msg']}.") from error
    context = checked.request_context
    path = checked.raw_path if checked.raw_path is not None else context.http.path
    if path is None:
        raise MalformedRequestError("The event has no path. Set rawPath, for example to /v1/health.")
    path = _plain_path(path, context.stage or DEFAULT_STAGE)
    return {
        "version": "2.0",
        "rawPath": path,
        "queryStringParameters": checked.query or {},
        "headers": {name.lower(): value for name, value in (checked.headers or {}).items()},
        "body": checked.body or "",
        "isBase64Encoded": bool(checked.is_base64),
        "requestContext": {
            "http": {"method": context.http.method.upper(), "path": path},
            "stage": DEFAULT_STAGE,
        },
    }


def _plain_path(path: str, stage: str) -> str:
    names = [name for name in path.split("/") if name]
    if stage != DEFAULT_STAGE and names[:1] == [stage]:
        del names[0]
    return "/" + "/".join(names)
