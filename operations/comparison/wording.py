"""A comparison for people and for programs: lines for a terminal, Markdown for a pull request, values for JSON."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from operations.comparison.compare import Comparison
from operations.comparison.paired_bootstrap import Change

LOWER_IS_BETTER = ("ece", "nll", "brier")


def as_text(comparison: Comparison) -> str:
    """Word it for a terminal."""
    width = max(len(name) for name, _ in _rows(comparison))
    lines = [
        f"challenger {comparison.challenger.version}",
        f"champion   {comparison.champion.version}",
        f"{_pictures(comparison)} {comparison.scope}",
        "",
        f"{'':<{width}}  challenger  champion  change (95%)",
    ]
    lines += [
        f"{name:<{width}}  {of.challenger:10.3f}  {of.champion:8.3f}  {_change(of)}" for name, of in _rows(comparison)
    ]
    for name, (challenger, champion) in _costs(comparison).items():
        lines.append(f"{name:<{width}}  {challenger:10.2f}  {champion:8.2f}  {_ratio(challenger, champion)}")
    lines += ["", *(f"{_mark(of.passed):<6}  {of.gate}: {of.sentence}" for of in comparison.rulings)]
    return "\n".join([*lines, _verdict(comparison)])


def as_markdown(comparison: Comparison) -> str:
    """Word it for a comment on a pull request."""
    lines = [
        f"**{_verdict(comparison)}**",
        "",
        f"`{comparison.challenger.version}` beside `{comparison.champion.version}`: {_pictures(comparison)} "
        f"{comparison.scope}",
        "",
        "| gate | | |",
        "| --- | --- | --- |",
        *(f"| {of.gate} | {_mark(of.passed)} | {of.sentence} |" for of in comparison.rulings),
        "",
        "<details><summary>all that was measured</summary>",
        "",
        "| | challenger | champion | change (95%) |",
        "| --- | ---: | ---: | ---: |",
    ]
    lines += [f"| {name} | {of.challenger:.3f} | {of.champion:.3f} | {_change(of)} |" for name, of in _rows(comparison)]
    for name, (challenger, champion) in _costs(comparison).items():
        lines.append(f"| {name} | {challenger:.2f} | {champion:.2f} | {_ratio(challenger, champion)} |")
    return "\n".join([*lines, "", "</details>"])


def as_json(comparison: Comparison) -> dict[str, Any]:
    """Give everything as plain values."""
    changes = comparison.changes
    return {
        "challenger": comparison.challenger.version,
        "champion": comparison.champion.version,
        "passed": comparison.passed,
        "scope": comparison.scope,
        "pictures": changes.pictures,
        "lesions": changes.lesions,
        "gates": [asdict(of) for of in comparison.rulings],
        "metrics": _plain(changes.metrics),
        "per_class": {code: _plain(of) for code, of in changes.per_class.items()},
        "slices": {by: {which: _plain(of) for which, of in each.items()} for by, each in changes.slices.items()},
        "costs": dict(zip(("challenger", "champion"), map(asdict, comparison.costs), strict=True)),
    }


def _rows(comparison: Comparison) -> Iterator[tuple[str, Change]]:
    changes = comparison.changes
    for name, of in changes.metrics.items():
        yield _metric(name), of
    for code, metrics in changes.per_class.items():
        yield from ((f"{code}: {_metric(name)}", of) for name, of in metrics.items())
    for by, each in changes.slices.items():
        for which, metrics in each.items():
            yield from ((f"{by.replace('_', ' ')} {which}: {_metric(name)}", of) for name, of in metrics.items())


def _costs(comparison: Comparison) -> dict[str, tuple[float, float]]:
    one, other = comparison.costs
    return {
        "processor time of a picture, ms": (one.picture_ms, other.picture_ms),
        "model, MB": (one.model_mb, other.model_mb),
    }


def _metric(name: str) -> str:
    return name.replace("_", " ") + (" (lower is better)" if name in LOWER_IS_BETTER else "")


def _change(of: Change) -> str:
    return f"{of.change.value:+.3f} ({of.change.low:+.3f} to {of.change.high:+.3f})"


def _ratio(challenger: float, champion: float) -> str:
    return f"{challenger / max(champion, 1e-9):.2f} times"


def _pictures(comparison: Comparison) -> str:
    return f"{comparison.changes.pictures} pictures of {comparison.changes.lesions} lesions."


def _mark(passed: bool) -> str:
    return "passes" if passed else "fails"


def _verdict(comparison: Comparison) -> str:
    if comparison.passed:
        return "The challenger passes every gate and may replace the champion."
    failed = ", ".join(of.gate for of in comparison.rulings if not of.passed)
    return f"The challenger does not pass ({failed}) and may not replace the champion."


def _plain(changes: Mapping[str, Change]) -> dict[str, Any]:
    return {
        name: {"challenger": of.challenger, "champion": of.champion, "change": of.change.model_dump()}
        for name, of in changes.items()
    }
