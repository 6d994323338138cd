"""A comparison as text for a terminal, as Markdown for a pull request, and as JSON for programs."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any, Final

from operations.comparison.compare import Comparison
from operations.comparison.paired_bootstrap import Change

LOWER_IS_BETTER: Final = ("ece", "nll", "brier")


def as_text(comparison: Comparison) -> str:
    """Format the comparison for a terminal."""
    width = max(len(label) for label, _ in _metric_rows(comparison))
    lines = [
        f"challenger {comparison.challenger.version}",
        f"champion   {comparison.champion.version}",
        f"{_count(comparison)} {comparison.scope}",
        "",
        f"{'':<{width}}  challenger  champion  change (95%)",
    ]
    for label, change in _metric_rows(comparison):
        lines.append(f"{label:<{width}}  {change.challenger:10.3f}  {change.champion:8.3f}  {_interval(change)}")
    for label, challenger, champion in _cost_rows(comparison):
        lines.append(f"{label:<{width}}  {challenger:10.2f}  {champion:8.2f}  {_ratio(challenger, champion)}")
    lines += ["", *(f"{_result(gate.passed):<6}  {gate.gate}: {gate.sentence}" for gate in comparison.gates)]
    return "\n".join([*lines, _verdict(comparison)])


def as_markdown(comparison: Comparison) -> str:
    """Format the comparison for a comment on a pull request."""
    lines = [
        f"**{_verdict(comparison)}**",
        "",
        f"`{comparison.challenger.version}` compared with `{comparison.champion.version}`: {_count(comparison)} "
        f"{comparison.scope}",
        "",
        "| gate | | |",
        "| --- | --- | --- |",
        *(f"| {gate.gate} | {_result(gate.passed)} | {gate.sentence} |" for gate in comparison.gates),
        "",
        "<details><summary>All measurements</summary>",
        "",
        "| | challenger | champion | change (95%) |",
        "| --- | ---: | ---: | ---: |",
    ]
    for label, change in _metric_rows(comparison):
        lines.append(f"| {label} | {change.challenger:.3f} | {change.champion:.3f} | {_interval(change)} |")
    for label, challenger, champion in _cost_rows(comparison):
        lines.append(f"| {label} | {challenger:.2f} | {champion:.2f} | {_ratio(challenger, champion)} |")
    return "\n".join([*lines, "", "</details>"])


def as_json(comparison: Comparison) -> dict[str, Any]:
    """Return all values, unrounded, for a program."""
    changes = comparison.changes
    return {
        "challenger": comparison.challenger.version,
        "champion": comparison.champion.version,
        "passed": comparison.passed,
        "scope": comparison.scope,
        "pictures": changes.pictures,
        "lesions": changes.lesions,
        "gates": [asdict(gate) for gate in comparison.gates],
        "metrics": _as_dicts(changes.metrics),
        "per_class": {code: _as_dicts(metrics) for code, metrics in changes.per_class.items()},
        "slices": {
            column: {group: _as_dicts(metrics) for group, metrics in groups.items()}
            for column, groups in changes.slices.items()
        },
        "robustness": {
            model: measured and measured.model_dump()
            for model, measured in zip(("challenger", "champion"), comparison.robustness, strict=True)
        },
        "costs": dict(zip(("challenger", "champion"), map(asdict, comparison.costs), strict=True)),
    }


def _metric_rows(comparison: Comparison) -> Iterator[tuple[str, Change]]:
    """Yield a label and a change for all metrics: over all pictures, per class, and per group of patients."""
    changes = comparison.changes
    for name, change in changes.metrics.items():
        yield _label(name), change
    for code, metrics in changes.per_class.items():
        yield from ((f"{code}: {_label(name)}", change) for name, change in metrics.items())
    for column, groups in changes.slices.items():
        for group, metrics in groups.items():
            prefix = f"{column.replace('_', ' ')} {group}"
            yield from ((f"{prefix}: {_label(name)}", change) for name, change in metrics.items())


def _cost_rows(comparison: Comparison) -> Iterator[tuple[str, float, float]]:
    challenger, champion = comparison.costs
    yield "processor time of a picture, ms", challenger.picture_ms, champion.picture_ms
    yield "model, MB", challenger.model_mb, champion.model_mb


def _label(metric: str) -> str:
    return metric.replace("_", " ") + (" (lower is better)" if metric in LOWER_IS_BETTER else "")


def _interval(change: Change) -> str:
    return f"{change.change.value:+.3f} ({change.change.low:+.3f} to {change.change.high:+.3f})"


def _ratio(challenger: float, champion: float) -> str:
    return f"{challenger / max(champion, 1e-9):.2f} times"


def _count(comparison: Comparison) -> str:
    return f"{comparison.changes.pictures} pictures of {comparison.changes.lesions} lesions."


def _result(passed: bool) -> str:
    return "passes" if passed else "fails"


def _verdict(comparison: Comparison) -> str:
    if comparison.passed:
        return "The challenger passes every gate and may replace the champion."
    failed = ", ".join(gate.gate for gate in comparison.gates if not gate.passed)
    return f"The challenger does not pass ({failed}) and may not replace the champion."


def _as_dicts(changes: Mapping[str, Change]) -> dict[str, Any]:
    return {
        name: {"challenger": change.challenger, "champion": change.champion, "change": change.change.model_dump()}
        for name, change in changes.items()
    }
