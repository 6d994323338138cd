"""The figures of an evaluation: each function draws one."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from contract.api import Metric
from contract.bundle import ChangeEffect, Group
from contract.labels import CODES
from training.evaluation.curves import Curve
from training.evaluation.report.words import SLICE_NAMES
from training.evaluation.robustness.names import words_for
from training.fitting.epoch import Epoch
from training.reporting.parts import draw_cells, name_rows
from training.reporting.style import CLASS_COLOURS, FAINT, GROUP_COLOURS, INK, RULE, UNKNOWN_COLOUR, styled

_DECISION_COLOURS = {"any_malignant": GROUP_COLOURS[0], "melanoma": GROUP_COLOURS[5]}


def confusion(counts: np.ndarray) -> Figure:
    """Draw the confusion matrix, coloured by the share of the row, with the number of pictures and that share."""
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.where(totals > 0, counts / np.maximum(totals, 1), np.nan)
    texts = np.empty(counts.shape, object)
    for at, count in np.ndenumerate(counts):
        share = shares[at]
        texts[at] = "" if not count else f"{count}\n{share:.0%}" if share >= 0.005 else str(count)
    with styled(4.3) as figure:
        axes = figure.subplots()
        draw_cells(axes, shares, texts)
        axes.set_xticks(range(len(CODES)), CODES)
        axes.set_yticks(
            range(len(CODES)), [f"{code}  n={total}" for code, total in zip(CODES, totals[:, 0], strict=True)]
        )
        axes.xaxis.tick_top()
        axes.xaxis.set_label_position("top")
        axes.set_xlabel("predicted class")
        axes.set_ylabel("true class")
    return figure


def classes(per_class: Mapping[str, Group]) -> Figure:
    """Draw each class's recall, precision and F1 with their intervals."""
    with styled(0.5 * len(per_class) + 1.2) as figure:
        axes = figure.subplots()
        for offset, name, marker in ((-0.24, "recall", "o"), (0.0, "precision", "s"), (0.24, "f1", "D")):
            for row, (code, group) in enumerate(per_class.items()):
                if (metric := group.metrics.get(name)) is not None:
                    axes.plot([metric.low, metric.high], [row + offset] * 2, color=CLASS_COLOURS[code], linewidth=1.6)
                    axes.plot(metric.value, row + offset, marker, color=CLASS_COLOURS[code], markersize=5)
            axes.plot([], [], marker, color=FAINT, markersize=5, label="F1" if name == "f1" else name)
        name_rows(axes, [f"{code}  n={group.pictures:,}" for code, group in per_class.items()])
        axes.set_xlim(0, 1)
        axes.set_xlabel("with 95% intervals")
        axes.grid(axis="x")
        figure.legend(loc="outside upper center", ncols=3, handletextpad=0.2)
    return figure


def curves(by_class: Mapping[str, Curve], areas: Mapping[str, Metric], *, kind: str) -> Figure:
    """Draw the ROC curves ("roc") or precision-recall curves ("pr") of the classes, with the areas in the legend."""
    x, y = ("false_positive_rate", "true_positive_rate") if kind == "roc" else ("recall", "precision")
    with styled(4.6) as figure:
        axes = figure.subplots()
        if kind == "roc":
            axes.plot([0, 1], [0, 1], color=RULE, linestyle="--")
        for code in (code for code in CODES if code in by_class):
            label = f"{code} {areas[code].value:.3f}" if code in areas else code
            curve = by_class[code]
            axes.plot(curve[x], curve[y], color=CLASS_COLOURS[code], linewidth=1.5, label=label, drawstyle="steps-post")
        _make_square(figure, "1 - specificity" if kind == "roc" else "recall (sensitivity)",
                "sensitivity" if kind == "roc" else "precision")  # fmt: skip
        figure.legend(loc="outside upper center", ncols=4, handlelength=1.2, columnspacing=1.0, handletextpad=0.4)
    return figure


def decisions(roc: Mapping[str, Curve], metrics: Mapping[str, Metric]) -> Figure:
    """Draw the ROC curve of each decision, and a cross of 95% intervals at its threshold."""
    with styled(4.4) as figure:
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color=RULE, linestyle="--")
        for name, colour in _DECISION_COLOURS.items():
            if name not in roc:
                continue
            curve = roc[name]
            axes.plot(curve["false_positive_rate"], curve["true_positive_rate"], color=colour, linewidth=1.6,
                      label=name.replace("_", " "))  # fmt: skip
            if f"{name}_sensitivity" not in metrics:  # the model has no such operating point
                continue
            sensitivity, specificity = metrics[f"{name}_sensitivity"], metrics[f"{name}_specificity"]
            at = 1 - specificity.value
            axes.plot([1 - specificity.high, 1 - specificity.low], [sensitivity.value] * 2, color=colour, linewidth=2.4)
            axes.plot([at, at], [sensitivity.low, sensitivity.high], color=colour, linewidth=2.4)
            axes.plot(at, sensitivity.value, "o", color=colour, markersize=7)
        _make_square(figure, "1 - specificity", "sensitivity")
        figure.legend(loc="outside upper center", ncols=2)
    return figure


def reliability(bins: Mapping[str, Sequence[Mapping[str, float]]]) -> Figure:
    """Draw the reliability diagram before and after the temperature; larger dots are bins with more pictures."""
    with styled(4.4) as figure:
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color=FAINT, linestyle="--", linewidth=1)
        for name, colour in (("before", GROUP_COLOURS[1]), ("after", GROUP_COLOURS[0])):
            confidence = [point["confidence"] for point in bins[name]]
            accuracy = [point["accuracy"] for point in bins[name]]
            pictures = np.array([point["pictures"] for point in bins[name]])
            axes.plot(confidence, accuracy, color=colour, linewidth=1.3, alpha=0.7)
            axes.scatter(confidence, accuracy, s=12 + 160 * pictures / pictures.max(), color=colour, linewidth=0,
                         alpha=0.85, label=f"{name} the temperature")  # fmt: skip
        _make_square(figure, "confidence", "accuracy")
        legend = figure.legend(loc="outside upper center", ncols=2)
        for handle in legend.legend_handles:
            handle.set_sizes([36])  # type: ignore[union-attr]
    return figure


def slices(by_slice: Mapping[str, Mapping[str, Group]], metric: str, overall: Metric, label: str) -> Figure:
    """Draw one metric with its interval for every group of every slice; the line is the value over all pictures."""
    rows: list[tuple[str, Group | None]] = []
    for name, groups in by_slice.items():
        rows.append((SLICE_NAMES.get(name, name), None))
        rows += [(f"{which.replace('_', ' ')}  n={group.pictures:,}", group) for which, group in groups.items()]
    with styled(max(2.2, 0.23 * len(rows) + 0.8)) as figure:
        axes = figure.subplots()
        axes.axvspan(overall.low, overall.high, color=GROUP_COLOURS[0], alpha=0.1, linewidth=0)
        axes.axvline(overall.value, color=GROUP_COLOURS[0], linewidth=1, alpha=0.6)
        for row, (_, group) in enumerate(rows):
            measured = None if group is None else group.metrics.get(metric)
            if measured is not None:
                axes.plot([measured.low, measured.high], [row, row], color=INK, linewidth=1.2)
                axes.plot(measured.value, row, "o", color=INK, markersize=4.5)
        name_rows(axes, [name for name, _ in rows])
        for text, (_, group) in zip(axes.get_yticklabels(), rows, strict=True):
            if group is None:
                text.set_fontweight("bold")
        axes.set_xlim(0, 1)
        axes.set_xlabel(label)
        axes.grid(axis="x")
    return figure


def unfamiliarity(lesions: np.ndarray, others: Mapping[str, np.ndarray], threshold: float) -> Figure:
    """Draw the unfamiliarity scores of lesions and of each other kind as a strip of dots, and the threshold."""
    random = np.random.default_rng(0)
    strips = {"lesions": lesions, **others}
    with styled(0.36 * len(strips) + 1.0) as figure:
        axes = figure.subplots()
        for row, (name, scores) in enumerate(strips.items()):
            shown = scores if len(scores) <= 400 else np.quantile(scores, np.linspace(0, 1, 400))
            height = row + random.uniform(-0.28, 0.28, len(shown))
            colour = GROUP_COLOURS[0] if name == "lesions" else GROUP_COLOURS[5]
            axes.scatter(np.maximum(shown, 0), height, s=7, color=colour, alpha=0.45, linewidth=0)
        axes.axvline(threshold, color=INK, linewidth=1, linestyle="--")
        name_rows(axes, [f"{name.replace('_', ' ')}  n={len(scores):,}" for name, scores in strips.items()])
        axes.set_xlim(left=0)
        axes.set_xlabel("unfamiliarity score (dashed: threshold)")
        axes.grid(axis="x")
    return figure


def robustness(effects: Mapping[str, ChangeEffect]) -> Figure:
    """Draw for each change how many answers became low risk, were noticed, or stayed see_a_doctor."""
    parts = (
        ("low_risk", "low risk", GROUP_COLOURS[5]),
        ("noticed", "noticed", UNKNOWN_COLOUR),
        ("unchanged", "see a doctor, as before", GROUP_COLOURS[0]),
    )
    with styled(0.21 * len(effects) + 1.0) as figure:
        axes = figure.subplots()
        starts = np.zeros(len(effects))
        for field, label, colour in parts:
            widths = np.array([getattr(effect, field).value for effect in effects.values()])
            axes.barh(range(len(effects)), widths, left=starts, height=0.7, color=colour, label=label)
            starts += widths
        for row, effect in enumerate(effects.values()):
            axes.plot([effect.low_risk.low, effect.low_risk.high], [row, row], color=INK, linewidth=1.2)
        name_rows(axes, [words_for(name) for name in effects])
        axes.tick_params(axis="y", labelsize=7.5)
        axes.set_xlim(0, 1)
        axes.xaxis.set_major_formatter(PercentFormatter(1))
        axes.set_xlabel("share of malignant pictures")
        figure.legend(loc="outside upper center", ncols=3, handlelength=1.0, columnspacing=1.0, handletextpad=0.4)
    return figure


def learning(epochs: Sequence[Epoch]) -> Figure:
    """Draw training and validation loss and balanced accuracy over the epochs, with a line where a phase begins."""
    number = np.arange(1, len(epochs) + 1)
    starts = [at for at in range(1, len(epochs)) if epochs[at].phase != epochs[at - 1].phase]
    with styled(4.6) as figure:
        upper, lower = figure.subplots(2, 1, sharex=True)
        for axes, name, label in ((upper, "loss", "loss"), (lower, "balanced_accuracy", "balanced accuracy")):
            for prefix, colour in (("", GROUP_COLOURS[1]), ("validation_", GROUP_COLOURS[0])):
                values = [getattr(epoch, prefix + name) for epoch in epochs]
                axes.plot(number, values, color=colour, marker="o", markersize=3.5, linewidth=1.4,
                          label="validation" if prefix else "training")  # fmt: skip
            for start in starts:
                axes.axvline(start + 0.5, color=RULE, linewidth=1)
            axes.set_ylabel(label)
            axes.grid(axis="y")
        lower.set_ylim(0, 1)
        lower.yaxis.set_major_formatter(PercentFormatter(1))
        lower.set_xlabel("epoch")
        lower.xaxis.set_major_locator(MaxNLocator(integer=True))
        figure.legend(*upper.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure


def _make_square(figure: Figure, x: str, y: str) -> None:
    """Make the only axes of a figure a square from 0 to 1."""
    (axes,) = figure.axes
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), xlabel=x, ylabel=y, aspect="equal")
    axes.grid()
