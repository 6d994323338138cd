"""The tables of docs/inference.md that come from the code: `python -m tests.inference_page` updates them.

`python -m tests.inference_page NAME=metrics.json` first takes the results on changed pictures from the report of
`lesion evaluate`, for the column NAME ("before" or "after").
"""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

from contract import quality
from contract.api import Metric
from contract.bundle import Robustness
from functions.classify.metrics import METRICS
from tests.odd_pictures import odd_pictures
from training.evaluation.robustness.goals import low_risk_goal, misses_goal
from training.evaluation.robustness.names import words_for

PAGE = Path(__file__).resolve().parents[1] / "docs" / "inference.md"
CHANGED_PICTURES = PAGE.parent / "robustness"  # results of `lesion evaluate`, by the name of a column
# Share of 8,802 HAM10000 pictures with the finding, at 224 px: measured, see the page. All pictures have the same size.
FALSE_ALARMS = {
    "too_small": "not measured",
    "too_dark": "0",
    "too_bright": "0",
    "glare": "0.30%",
    "blurred": "0.49%",
    "no_lesion": "0.20%",
}
MEASURES = {
    "too_small": ("shorter side of the whole picture, px", "under", quality.SHORT_SIDE_PX),
    "too_dark": ("90th percentile of brightness, 0 to 255", "under", quality.DARK_BRIGHTNESS),
    "too_bright": ("mean brightness, 0 to 255", "over", quality.BRIGHT_LUMA),
    "glare": (f"share of pixels of brightness {quality.GLARE_LUMA:.0f} or more", "over", quality.GLARE_SHARE),
    "blurred": (
        f"variance of the Laplacian in the median of {quality.TILES} x {quality.TILES} tiles",
        "under",
        quality.SHARPNESS,
    ),
    "no_lesion": (
        "largest distance in RGB of one of the tiles, without those at the edges, from the median tile",
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


def changed_pictures(folder: Path = CHANGED_PICTURES) -> str:
    """The results on changed pictures, of each model that was measured."""
    models = {
        name: Robustness.model_validate_json(path.read_text())
        for name in ("before", "after")
        if (path := folder / f"{name}.json").exists()
    }
    columns = [
        column if len(models) == 1 else f"{column}, {name}"
        for column in ("`low_risk`", "noticed", "mean change", "other leading class")
        for name in models
    ]
    rows: list[tuple[object, ...]] = [("change", *columns, "goal")]
    for change in dict.fromkeys(change for model in models.values() for change in model.changes):
        effects = [model.changes[change] for model in models.values()]
        low_risk = [share(effect.low_risk) for effect in effects]
        rows.append(
            (
                words_for(change),
                *(f"**{it}**" if misses_goal(effect) else it for it, effect in zip(low_risk, effects, strict=True)),
                *(f"{effect.noticed.value:.1%}" for effect in effects),
                *(f"{effect.probability_change.value:.3f}" for effect in effects),
                *("-" if effect.class_changes is None else share(effect.class_changes) for effect in effects),
                f"{low_risk_goal(effects[0]):.0%}",
            )
        )
    return "\n".join([*(describe(name, model) for name, model in models.items()), "", table(*rows)])


def describe(name: str, model: Robustness) -> str:
    """A line of a list: the pictures, and how many changes miss a goal."""
    missed = sum(misses_goal(effect) for effect in model.changes.values())
    return (
        f"- **{name.capitalize()}:** {model.pictures} malignant pictures of {model.lesions} lesions; "
        f"{model.all_pictures:,} pictures of all classes are turned. {missed} of {len(model.changes)} changes miss "
        "a goal."
    )


def share(metric: Metric) -> str:
    """A share with its interval, in percent."""
    return f"{100 * metric.value:.1f} ({100 * metric.low:.1f} to {100 * metric.high:.1f})%"


def take_changed_pictures(name: str, report: Path, folder: Path = CHANGED_PICTURES) -> None:
    """Keep the results on changed pictures of a report, rounded, for the column of this name."""
    results = json.loads(report.read_text(), parse_float=lambda digits: round(float(digits), 6))["robustness"]
    changes = results.pop("changes")
    lines = ",\n".join(f"  {json.dumps(change)}: {json.dumps(effect)}" for change, effect in changes.items())
    folder.mkdir(exist_ok=True)
    text = f'{json.dumps(results)[:-1]}, "changes": {{\n{lines}\n}}}}\n'
    Robustness.model_validate_json(text)
    (folder / f"{name}.json").write_text(text)


TABLES: dict[str, Callable[[], str]] = {
    "findings": findings,
    "metrics": metrics,
    "odd inputs": odd_inputs,
    "changed pictures": changed_pictures,
}


def with_tables(page: str) -> str:
    """Replace each table between its markers."""
    for name, make in TABLES.items():
        begin, end = f"<!-- {name}: from the code -->", f"<!-- end of {name} -->"
        pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        assert pattern.search(page), f"{PAGE.name} has no markers for {name}"
        page = pattern.sub(f"{begin}\n{make()}\n{end}".replace("\\", r"\\"), page)
    return page


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        column, _, metrics_json = argument.partition("=")
        take_changed_pictures(column, Path(metrics_json))
    PAGE.write_text(with_tables(PAGE.read_text()))
