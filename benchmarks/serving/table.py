"""The table, and the ratios that are promised."""

from collections.abc import Sequence
from typing import Any, get_args

from benchmarks.serving.contenders import Kind
from benchmarks.serving.price import usd_per_million
from benchmarks.serving.run import Row
from operations.prices import read_prices

HEAD = f"{'':34}{'median ms':>10}{'cold start s':>14}{'peak MB':>9}{'USD per million':>17}"

# what is held against what (both by name), the word for it, and the goal
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
    """Word what was measured."""
    written = [HEAD]
    for kind in get_args(Kind):
        written.append(f"{kind}:")
        written += [_line(row) for row in rows if row.contender.kind == kind]
    written += ["", *(f"{name:44}{value:8.2f}   {goal or ''}".rstrip() for name, value, goal in ratios(rows))]
    return [*written, "", _prices()]


def ratios(rows: Sequence[Row]) -> list[tuple[str, float, str | None]]:
    """Hold medians of one run against each other; what was not measured is left out."""
    medians = {row.contender.name: row.median_ms for row in rows if row.missing is None}
    found = [
        (word, medians[name] / medians[against], goal)
        for name, against, word, goal in RATIOS
        if name in medians and against in medians
    ]
    by_name = {row.contender.name: row for row in rows if row.missing is None}
    if {"our function, int8, from S3", "ONNX Runtime, int8"} <= by_name.keys():
        ratio = by_name["our function, int8, from S3"].cold_s / by_name["ONNX Runtime, int8"].opened_s
        found.append(("cold start from S3 over imports and session", ratio, "at most 2.5"))
    return found


def as_json(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """List the rows for a program."""
    return [
        {**row.contender._asdict(), **row._asdict(), "contender": row.contender.name, "usd_per_million": price(row)}
        for row in rows
    ]


def price(row: Row) -> float | None:
    """Price what would run on Lambda as it is: a picture in, an answer out."""
    if row.missing or row.contender.kind != "picture to answer":
        return None
    return usd_per_million(row.median_ms, row.contender.threads, row.peak_mb)


def _line(row: Row) -> str:
    if row.missing:
        return f"  {row.contender.name:32}not measured: {row.missing}"
    usd = price(row)
    cost = "" if usd is None else f"{usd:17.2f}"
    return f"  {row.contender.name:32}{row.median_ms:10.1f}{row.cold_s:14.2f}{row.peak_mb:9.0f}{cost}"


def _prices() -> str:
    prices = read_prices()
    return f"Price: Lambda in {prices.region} as of {prices.as_of}; memory for 1 vCPU a thread, or the peak."
