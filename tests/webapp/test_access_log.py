"""Each log record is one line of JSON, with any content."""

import json
import logging
import sys

from webapp import gunicorn_conf
from webapp.access_log import PageFormatter


def record(message: str, *args: object, **extra: object) -> logging.LogRecord:
    made = logging.makeLogRecord({"name": "webapp.test", "levelname": "INFO", "msg": message, "args": args})
    vars(made).update(extra)
    return made


def test_a_record_is_one_line_of_json() -> None:
    line = PageFormatter().format(record("request", method="GET", route="/", status=200, duration_ms=1.5))
    read = json.loads(line)
    assert {name: read[name] for name in ("message", "level", "logger", "method", "route", "status")} == {
        "message": "request", "level": "INFO", "logger": "webapp.test", "method": "GET", "route": "/", "status": 200,
    }  # fmt: skip
    assert set(read) == {"time", "level", "logger", "message", "method", "route", "status", "duration_ms"}
    assert read["time"].endswith("+00:00")


def test_fields_that_libraries_add_stay_out_of_the_log() -> None:
    line = PageFormatter().format(record("request", client="203.0.113.9", stack_info="a stack", status=200))
    assert list(json.loads(line)) == ["time", "level", "logger", "message", "status"]


def test_a_message_cannot_forge_a_line() -> None:
    line = PageFormatter().format(record("refused with %s", 'x\n{"level": "CRITICAL"}\r\u2028'))
    assert len(line.splitlines()) == 1
    assert json.loads(line)["level"] == "INFO"


def test_a_traceback_goes_into_the_line() -> None:
    try:
        raise ZeroDivisionError("by nothing")
    except ZeroDivisionError:
        line = PageFormatter().format(record("failed", exc_info=sys.exc_info()))
    assert len(line.splitlines()) == 1
    assert "ZeroDivisionError: by nothing" in json.loads(line)["traceback"]


def test_gunicorn_uses_this_formatter() -> None:
    assert gunicorn_conf.logconfig_dict["formatters"] == {"json": {"()": "webapp.access_log.PageFormatter"}}
