"""Draw the figures of the data report from counts and measurements."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator, PercentFormatter

from contract.labels import CODES
from training.data.clean import UNKNOWN
from training.reporting.parts import draw_cells, name_rows
from training.reporting.style import (
    CLASS_COLOURS,
    FAINT,
    GROUP_COLOURS,
    PAPER,
    UNKNOWN_COLOUR,
    WIDTH_IN,
    styled,
)

_COLOURS = [CLASS_COLOURS[code] for code in CODES]


def class_distribution(pictures: Sequence[int], lesions: Sequence[int]) -> Figure:
    """Draw the number of pictures and of lesions of each class, in the model's order, on a linear axis."""
    at = np.arange(len(CODES))
    with styled(3.7) as figure:
        axes = figure.subplots()
        for offset, counts, alpha in ((-0.2, pictures, 1.0), (0.2, lesions, 0.5)):
            bars = axes.barh(at + offset, counts, 0.38, color=_COLOURS, alpha=alpha)
            axes.bar_label(bars, [f"{count:,}" for count in counts], padding=3, fontsize=8)
        name_rows(axes, list(CODES))
        axes.set_xlim(0, max(pictures) * 1.13)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axes.set_xlabel("count (solid: pictures, pale: lesions)")
        axes.grid(axis="x")
    return figure


def pictures_per_lesion(counts: pd.Series) -> Figure:
    """Draw the number of lesions (logarithmic axis) for each number of pictures: the index of `counts`."""
    with styled(3.1) as figure:
        axes = figure.subplots()
        bars = axes.bar([str(pictures) for pictures in counts.index], counts, 0.62, color=GROUP_COLOURS[0])
        axes.bar_label(bars, [f"{count:,}" for count in counts], padding=2, fontsize=8.5)
        axes.set_yscale("log")
        axes.set_ylim(0.7, counts.max() * 2.5)
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axes.set_xlabel("pictures of the lesion")
        axes.set_ylabel("lesions (log scale)")
        axes.grid(axis="y")
    return figure


def boxes(values: dict[str, np.ndarray], label: str, *, log: bool = False, named: bool = True) -> Figure:
    """Draw a box for each class: median, quartiles, whiskers to 1.5 interquartile ranges, no outliers.

    Args:
        values: of each class in the model's order; a class may have none.
        label: of the axis, with its unit.
        log: whether the axis is logarithmic.
        named: whether the number of values is shown beside each class.
    """
    with styled(3.3) as figure:
        axes = figure.subplots()
        drawn = axes.boxplot(
            list(values.values()),
            orientation="horizontal",
            widths=0.6,
            showfliers=False,
            patch_artist=True,
            medianprops={"color": PAPER, "linewidth": 1.8},
            whiskerprops={"color": FAINT},
            capprops={"color": FAINT},
            boxprops={"linewidth": 0},
        )
        for box, colour in zip(drawn["boxes"], _COLOURS, strict=True):
            box.set_facecolor(colour)
        name_rows(axes, [f"{code}  n={len(numbers):,}" if named else code for code, numbers in values.items()], first=1)
        if log:
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.set_xlabel(label)
        axes.grid(axis="x")
    return figure


def shares(table: pd.DataFrame) -> Figure:
    """Draw a stacked bar of 100% for each class.

    Args:
        table: counts; a row for each class, a column for each category.
    """
    portions = table.div(table.sum(axis="columns").replace(0, 1), axis="index")
    known = iter(GROUP_COLOURS * len(table.columns))
    with styled(3.5) as figure:
        axes = figure.subplots()
        left = np.zeros(len(table))
        for name, portion in portions.items():
            colour = UNKNOWN_COLOUR if name == UNKNOWN else next(known)
            axes.barh(np.arange(len(table)), portion, 0.66, left=left, color=colour, label=str(name).replace("_", " "))
            left += portion.to_numpy()
        name_rows(axes, [f"{code}  n={count:,}" for code, count in table.sum(axis="columns").items()])
        axes.set_xlim(0, 1)
        axes.xaxis.set_major_formatter(PercentFormatter(1))
        axes.set_xlabel("share of the class's lesions")
        figure.legend(
            loc="outside upper center",
            ncols=5,
            handlelength=0.9,
            handleheight=0.9,
            columnspacing=1.2,
            handletextpad=0.5,
        )
    return figure


def heatmap(table: pd.DataFrame, *, percent: bool = False) -> Figure:
    """Draw a heatmap of values in -1..1: positive values blue, negative orange, stronger colours for larger values."""
    rows, columns = table.shape
    with styled(0.34 * rows + 1.35, max(WIDTH_IN, 0.42 * columns + 1.6)) as figure:
        axes = figure.subplots()
        values = table.to_numpy(float)
        texts = np.vectorize(lambda value: _cell(value, percent=percent), otypes=[object])(values)
        draw_cells(axes, values, texts)
        axes.set_xticks(range(columns), [str(name) for name in table.columns], rotation=45,
                        ha="right", rotation_mode="anchor")  # fmt: skip
        axes.set_yticks(range(rows), [str(name) for name in table.index])
    return figure


def missing_values(missing: pd.Series, rows: int) -> Figure:
    """Draw the share of unknown values of each column: column -> number of pictures, out of `rows`."""
    with styled(2.6) as figure:
        axes = figure.subplots()
        bars = axes.barh(range(len(missing)), missing / rows, 0.6, color=GROUP_COLOURS[0])
        axes.bar_label(bars, [f"{count:,} ({count / rows:.1%})" for count in missing], padding=3, fontsize=8.5)
        name_rows(axes, list(missing.index))
        axes.set_xlim(0, max(0.01, float(missing.max()) / rows) * 1.45)
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=1))
        axes.set_xlabel("share of the pictures with an unknown value")
        axes.grid(axis="x")
    return figure


def _cell(value: float, *, percent: bool) -> str:
    text = "-" if np.isnan(value) else f"{100 * value:.0f}" if percent else f"{value:.2f}"
    return text.replace("-0.00", "0.00")
