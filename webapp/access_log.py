"""One line of JSON for each request: its route, status and duration, and nothing about the person or the picture."""

import logging
import time
from typing import Any, Final

from flask import Flask, Response, g, request
from pythonjsonlogger.json import JsonFormatter

logger = logging.getLogger(__name__)

# The fields of a line, in this order. Other fields that a library adds to a record are left out.
_FIELDS: Final = (
    *("time", "level", "logger", "message"),
    *("method", "route", "status", "duration_ms", "code", "prediction_id", "model_version", "traceback"),
)
_FREQUENT: Final = ("pages.health", "static")  # load balancers request the first all day, every page the second


def log_requests(app: Flask) -> None:
    """Write a line for every answer; `add_to_log` adds fields to it."""

    @app.before_request
    def start() -> None:
        g.started_s = time.perf_counter()

    @app.after_request
    def write(response: Response) -> Response:
        rule = request.url_rule
        fields = {
            "method": request.method,
            "route": rule.rule if rule else None,  # not the path, which may contain anything
            "status": response.status_code,
            "duration_ms": round(1000 * (time.perf_counter() - g.started_s), 1),
            **g.get("log_fields", {}),
        }
        minor = request.endpoint in _FREQUENT and response.status_code < 400
        logger.log(logging.DEBUG if minor else logging.INFO, "request", extra=fields)
        return response


def add_to_log(**fields: str) -> None:
    """Add fields to the line of the current request."""
    g.log_fields = {**g.get("log_fields", {}), **fields}


class PageFormatter(JsonFormatter):
    """Writes each record as one line of JSON, its traceback included."""

    def __init__(self) -> None:
        super().__init__(
            ("levelname", "name", "message"),
            rename_fields={"levelname": "level", "name": "logger", "exc_info": "traceback"},
            timestamp="time",  # ISO 8601, in UTC
        )

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        """Keep only the fields that this log has."""
        return {name: log_data[name] for name in _FIELDS if name in log_data}
