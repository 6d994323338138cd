"""Parts of charts that several reports use: row labels and heatmap cells."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from training.reporting.style import HEAT, INK, NEGATIVE_HEAT, WHITE_TEXT_FROM


def name_rows(axes: Axes, names: Sequence[Any], first: int = 0) -> None:
    """Label the rows of a horizontal chart, the first at the top."""
    axes.set_yticks(range(first, first + len(names)), list(names))
    axes.set_ylim(first + len(names) - 0.5, first - 0.5)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def draw_cells(axes: Axes, values: np.ndarray, texts: np.ndarray) -> None:
    """Draw the cells of a heatmap: positive values blue, negative orange, stronger colours for larger values.

    Args:
        axes: to draw on; the caller labels the ticks.
        values: in -1..1 or NaN, shape (rows, columns).
        texts: the text in each cell, of the same shape.
    """
    rows, columns = values.shape
    for (row, column), value in np.ndenumerate(values):
        opacity = 0.0 if np.isnan(value) else min(1.0, abs(value))
        if opacity:
            axes.fill([column - 0.5, column + 0.5, column + 0.5, column - 0.5],
                      [row - 0.5, row - 0.5, row + 0.5, row + 0.5],
                      color=NEGATIVE_HEAT if value < 0 else HEAT, alpha=opacity, linewidth=0)  # fmt: skip
        axes.text(column, row, str(texts[row, column]), ha="center", va="center", fontsize=8.5,
                  color="white" if opacity >= WHITE_TEXT_FROM else INK)  # fmt: skip
    axes.set_xlim(-0.5, columns - 0.5)
    axes.set_ylim(rows - 0.5, -0.5)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
