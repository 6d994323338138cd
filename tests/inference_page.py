"""The tables of docs/inference.md that come from the code: `python -m tests.inference_page` writes them anew."""

import re
from collections.abc import Callable
from pathlib import Path

from contract import quality
from functions.classify.measures import METRICS
from tests.odd_pictures import odd_pictures

PAGE = Path(__file__).resolve().parents[1] / "docs" / "inference.md"
# What HAM10000's 8,802 pictures at hand were found wanting in, at 224 px: measured, see the page. All have one size.
FALSE_ALARMS = {
    "too_small": "cannot be told",
    "too_dark": "0",
    "too_bright": "0",
    "glare": "0.30%",
    "blurred": "0",
    "no_lesion": "0.06%",
}
MEASURES = {
    "too_small": ("shorter side of the whole picture, px", "under", quality.SHORT_SIDE_PX),
    "too_dark": ("mean brightness, 0 to 255", "under", quality.DARK_LUMA),
    "too_bright": ("mean brightness, 0 to 255", "over", quality.BRIGHT_LUMA),
    "glare": (f"share of pixels of brightness {quality.GLARE_LUMA:.0f} or more", "over", quality.GLARE_SHARE),
    "blurred": ("variance of the Laplacian", "under", quality.SHARPNESS),
    "no_lesion": ("largest distance in RGB of one of 8 x 8 places from the median place", "under", quality.CONTRAST),
}


def table(*rows: tuple[object, ...]) -> str:
    """Word rows as Markdown, the first as the head."""
    head, *body = [f"| {' | '.join(str(cell).replace('|', '/') for cell in row)} |" for row in rows]
    return "\n".join([head, f"|{' --- |' * len(rows[0])}", *body])


def findings() -> str:
    """What is measured of a picture, and what a person is told."""
    rows = [
        (f"`{code}`", measured, f"{side} {threshold:g}", FALSE_ALARMS[code], quality.MESSAGES[code])
        for code, (measured, side, threshold) in MEASURES.items()
    ]
    return table(("finding", "measured", "found", "false alarms", "what a person is told"), *rows)


def metrics() -> str:
    """What CloudWatch is told."""
    rows = [
        (f"`{name}`", metric.unit, ", ".join(metric.dimensions) or "-", metric.meaning)
        for name, metric in METRICS.items()
    ]
    return table(("metric", "unit", "split by", "what it counts or measures"), *rows)


def odd_inputs() -> str:
    """Every odd picture and its answer."""
    rows = [(name, odd.status, f"`{odd.code}`" if odd.code else "answered") for name, odd in odd_pictures().items()]
    return table(("what is sent", "status", "answer"), *rows)


TABLES: dict[str, Callable[[], str]] = {"findings": findings, "metrics": metrics, "odd inputs": odd_inputs}


def with_tables(page: str) -> str:
    """Put each table between its markers."""
    for name, make in TABLES.items():
        begin, end = f"<!-- {name}: from the code -->", f"<!-- end of {name} -->"
        pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        assert pattern.search(page), f"{PAGE.name} has no place for {name}"
        made = f"{begin}\n{make()}\n{end}"
        page = pattern.sub(lambda _, made=made: made, page)
    return page


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text()))
