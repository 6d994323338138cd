"""The tables of docs/inference.md that come from the code: `python -m tests.inference_page` updates them."""

import re
from collections.abc import Callable
from pathlib import Path

from contract import quality
from functions.classify.metrics import METRICS
from tests.odd_pictures import odd_pictures

PAGE = Path(__file__).resolve().parents[1] / "docs" / "inference.md"
# Share of 8,802 HAM10000 pictures with the finding, at 224 px: measured, see the page. All pictures have the same size.
FALSE_ALARMS = {
    "too_small": "not measured",
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
    "no_lesion": (
        f"largest distance in RGB of one of {quality.CELLS} x {quality.CELLS} cells from the median cell",
        "under",
        quality.CONTRAST,
    ),
}


def table(*rows: tuple[object, ...]) -> str:
    """Format rows as a Markdown table; the first is the head."""
    head, *body = [f"| {' | '.join(str(cell).replace('|', '/') for cell in row)} |" for row in rows]
    return "\n".join([head, f"|{' --- |' * len(rows[0])}", *body])


def findings() -> str:
    """The quality findings, with what is measured and the message."""
    rows = [
        (f"`{code}`", measured, f"{side} {threshold:g}", FALSE_ALARMS[code], quality.MESSAGES[code])
        for code, (measured, side, threshold) in MEASURES.items()
    ]
    return table(("finding", "measured", "threshold", "false alarms", "message"), *rows)


def metrics() -> str:
    """The CloudWatch metrics."""
    rows = [
        (f"`{name}`", metric.unit, ", ".join(metric.dimensions) or "-", metric.meaning)
        for name, metric in METRICS.items()
    ]
    return table(("metric", "unit", "dimension", "meaning"), *rows)


def odd_inputs() -> str:
    """All unusual pictures and their answers."""
    rows = [(name, odd.status, f"`{odd.code}`" if odd.code else "answered") for name, odd in odd_pictures().items()]
    return table(("input", "status", "answer"), *rows)


TABLES: dict[str, Callable[[], str]] = {"findings": findings, "metrics": metrics, "odd inputs": odd_inputs}


def with_tables(page: str) -> str:
    """Replace each table between its markers."""
    for name, make in TABLES.items():
        begin, end = f"<!-- {name}: from the code -->", f"<!-- end of {name} -->"
        pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        assert pattern.search(page), f"{PAGE.name} has no markers for {name}"
        page = pattern.sub(f"{begin}\n{make()}\n{end}".replace("\\", r"\\"), page)
    return page


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text()))
