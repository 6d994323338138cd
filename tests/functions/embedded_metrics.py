"""A strict parser of CloudWatch's embedded metric format: it refuses what CloudWatch would not store.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import json
import math
import time
from typing import Any, NamedTuple

MAX_EVENT_BYTES = 262_144  # of one log event
MAX_METRICS, MAX_VALUES, MAX_DIMENSIONS = 100, 100, 30
MAX_NAME, MAX_DIMENSION_VALUE = 1024, 1024
UNITS = {
    "Seconds", "Microseconds", "Milliseconds", "Bytes", "Kilobytes", "Megabytes", "Gigabytes", "Terabytes", "Bits",
    "Kilobits", "Megabits", "Gigabits", "Terabits", "Percent", "Count", "Bytes/Second", "Kilobytes/Second",
    "Megabytes/Second", "Gigabytes/Second", "Terabytes/Second", "Bits/Second", "Kilobits/Second", "Megabits/Second",
    "Gigabits/Second", "Terabits/Second", "Count/Second", "None",
}  # fmt: skip


class Measurement(NamedTuple):
    """The values that CloudWatch stores for one metric under one set of dimensions."""

    namespace: str
    name: str
    unit: str
    dimensions: tuple[tuple[str, str], ...]
    values: list[float]


def parse_embedded_metrics(line: str) -> list[Measurement]:
    """Parse one log line; a line in another format has no measurements."""
    document = json.loads(line, parse_constant=_no_constant)
    if "_aws" not in document:
        return []
    assert len(line.encode()) <= MAX_EVENT_BYTES
    metadata = document["_aws"]
    assert set(metadata) == {"Timestamp", "CloudWatchMetrics"}
    assert isinstance(metadata["Timestamp"], int)
    assert abs(metadata["Timestamp"] / 1000 - time.time()) < 2 * 3600  # older or newer ones may be dropped
    directives = metadata["CloudWatchMetrics"]
    assert directives
    return [measurement for directive in directives for measurement in _measurements(directive, document)]


def _measurements(directive: dict[str, Any], document: dict[str, Any]) -> list[Measurement]:
    assert {"Namespace", "Dimensions", "Metrics"} <= set(directive)
    _check_text(directive["Namespace"], MAX_NAME)
    assert 1 <= len(directive["Metrics"]) <= MAX_METRICS
    assert directive["Dimensions"]
    found = []
    for names in directive["Dimensions"]:
        assert len(names) == len(set(names)) <= MAX_DIMENSIONS
        for name in names:
            _check_text(name, 250)
            _check_text(document[name], MAX_DIMENSION_VALUE)
        dimensions = tuple(sorted((name, document[name]) for name in names))
        for metric in directive["Metrics"]:
            assert set(metric) <= {"Name", "Unit", "StorageResolution"}
            _check_text(metric["Name"], MAX_NAME)
            assert metric["Name"] not in names
            assert metric.get("Unit", "None") in UNITS
            assert metric.get("StorageResolution", 60) in (1, 60)
            target = document[metric["Name"]]
            values = target if isinstance(target, list) else [target]
            assert 1 <= len(values) <= MAX_VALUES
            for value in values:
                assert isinstance(value, int | float)
                assert not isinstance(value, bool)
                assert math.isfinite(value)
                assert value == 0 or 2**-360 <= abs(value) <= 2**360
            found.append(
                Measurement(directive["Namespace"], metric["Name"], metric.get("Unit", "None"), dimensions, values)
            )
    assert len({(m.name, m.dimensions) for m in found}) == len(found)
    return found


def _check_text(text: Any, longest: int) -> None:
    assert isinstance(text, str)
    assert 1 <= len(text) <= longest
    assert text.isascii()
    assert text.isprintable()
    assert text.strip()
    assert not text.startswith(":")


def _no_constant(name: str) -> float:
    raise AssertionError(f"{name} is not JSON")
