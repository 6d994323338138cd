"""The printed table, and the ratios with their goals."""

from collections.abc import Sequence
from typing import Any, get_args

from benchmarks.serving.candidates import Kind
from benchmarks.serving.measure import Row
from benchmarks.serving.price import usd_per_million
from operations.prices import read_prices

HEAD = f"{'':34}{'median ms':>10}{'cold start s':>14}{'peak MB':>9}{'USD per million':>17}"

# numerator and denominator, label, goal
RATIOS = (
    ("our function, int8", "ONNX Runtime, int8", "function over the bare call, int8", "at most 1.25"),
    ("our function, int8, 2 threads", "ONNX Runtime, int8, 2 threads", "the same with 2 threads", "at most 1.25"),
    ("our function, fp32", "ONNX Runtime, fp32", "function over the bare call, fp32", "at most 1.25"),
    ("ONNX Runtime, fp32", "ONNX Runtime, int8", "times that int8 is faster than fp32", "at least 3"),
    ("Flask view, Keras predict", "our function, int8", "times faster than Flask and predict", "at least 6"),
    ("Flask view, tf.function", "our function, int8", "times faster than Flask and tf.function", None),
    ("LiteRT, int8", "ONNX Runtime, int8", "times faster than LiteRT, int8 alone", None),
    ("OpenVINO, int8", "ONNX Runtime, int8", "times faster than OpenVINO, int8 alone", None),
    ("LitServe, ONNX Runtime, int8", "our gateway and function, int8", "times faster than LitServe, over HTTP", None),
)


def lines(rows: Sequence[Row]) -> list[str]:
    """Return the lines of the table and the ratios."""
    written = [HEAD]
    for kind in get_args(Kind):
        written.append(f"{kind}:")
        written += [_line(row) for row in rows if row.candidate.kind == kind]
    written += ["", *(f"{name:44}{value:8.2f}   {goal or ''}".rstrip() for name, value, goal in ratios(rows))]
    return [*written, "", _prices()]


def ratios(rows: Sequence[Row]) -> list[tuple[str, float, str | None]]:
    """Return label, value and goal of each ratio whose two candidates were measured."""
    medians = {row.candidate.name: row.median_ms for row in rows if row.missing is None}
    found = [
        (label, medians[numerator] / medians[denominator], goal)
        for numerator, denominator, label, goal in RATIOS
        if numerator in medians and denominator in medians
    ]
    measured = {row.candidate.name: row for row in rows if row.missing is None}
    if {"our function, int8, from S3", "ONNX Runtime, int8"} <= measured.keys():
        ratio = measured["our function, int8, from S3"].cold_s / measured["ONNX Runtime, int8"].opened_s
        found.append(("cold start from S3 over imports and session", ratio, "at most 2.5"))
    return found


def as_json(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return the rows for JSON."""
    return [_row_as_json(row) for row in rows]


def _row_as_json(row: Row) -> dict[str, Any]:
    measured = row._asdict()
    candidate = measured.pop("candidate")
    return {**candidate._asdict(), **measured, "contender": candidate.name, "usd_per_million": price(row)}


def price(row: Row) -> float | None:
    """Return the price on Lambda of a candidate that could run there: from a picture to a response."""
    if row.missing or row.candidate.kind != "picture to answer":
        return None
    return usd_per_million(row.median_ms, row.candidate.threads, row.peak_mb)


def _line(row: Row) -> str:
    if row.missing:
        return f"  {row.candidate.name:32}not measured: {row.missing}"
    usd = price(row)
    cost = "" if usd is None else f"{usd:17.2f}"
    return f"  {row.candidate.name:32}{row.median_ms:10.1f}{row.cold_s:14.2f}{row.peak_mb:9.0f}{cost}"


def _prices() -> str:
    prices = read_prices()
    return f"Price: Lambda in {prices.region} as of {prices.as_of}; memory for 1 vCPU a thread, or the peak."
