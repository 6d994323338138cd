"""One line of JSON for each request: what was asked and how it went, and nothing of who asked or what they sent."""

import json
import logging
import time
from datetime import UTC, datetime
from typing import Final

from flask import Flask, Response, g, request

logger = logging.getLogger(__name__)

_QUIET: Final = ("pages.health", "static")  # asked all day long by load balancers, and with every page
_FIELDS: Final = ("method", "route", "status", "duration_ms", "code", "prediction_id", "model_version")


def log_requests(app: Flask) -> None:
    """Write a line for every answer; pages add to it with `note`."""

    @app.before_request
    def start() -> None:
        g.started_s = time.perf_counter()

    @app.after_request
    def write(response: Response) -> Response:
        rule = request.url_rule
        fields = {
            "method": request.method,
            "route": rule.rule if rule else None,  # never the path: what is in it was chosen by a stranger
            "status": response.status_code,
            "duration_ms": round(1000 * (time.perf_counter() - g.started_s), 1),
            **g.get("noted", {}),
        }
        quiet = request.endpoint in _QUIET and response.status_code < 400
        logger.log(logging.DEBUG if quiet else logging.INFO, "request", extra=fields)
        return response


def note(**fields: str) -> None:
    """Add to the line of the request that is being answered."""
    g.noted = {**g.get("noted", {}), **fields}


class JsonFormatter(logging.Formatter):
    """Writes each record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record, its traceback within; escaped, so that no text in it can forge a line of its own."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **{name: getattr(record, name) for name in _FIELDS if hasattr(record, name)},
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)
