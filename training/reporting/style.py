"""The style of every figure: as a PNG on white, and as SVG in a page with a light or dark background."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.figure import Figure

WIDTH_IN: Final = 4.8  # about 350 CSS pixels: text is readable on a phone without scaling
PNG_DPI: Final = 200

# A PNG has these colours; in a page, CSS variables replace them.
INK: Final = "#1c2127"
FAINT: Final = "#69727d"
RULE: Final = "#d5dae0"
PAPER: Final = "#fefefe"
HEAT: Final = "#005a8f"  # of a heatmap cell; its value is the opacity
NEGATIVE_HEAT: Final = "#b34d00"
_CSS_VARIABLES: Final = {
    INK: "var(--ink)",
    FAINT: "var(--faint)",
    RULE: "var(--rule)",
    PAPER: "var(--paper)",
    HEAT: "var(--heat)",
    NEGATIVE_HEAT: "var(--negative)",
}

# Okabe and Ito, "Color Universal Design" (2008): distinguishable with every common kind of colour blindness. Grey
# replaces their yellow, which is too pale on white.
CLASS_COLOURS: Final = {
    "akiec": "#e69f00",
    "bcc": "#cc79a7",
    "bkl": "#009e73",
    "df": "#56b4e9",
    "mel": "#d55e00",
    "nv": "#0072b2",
    "vasc": "#7f8790",
}
GROUP_COLOURS: Final = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")
UNKNOWN_COLOUR: Final = "#a9b1ba"
WHITE_TEXT_FROM: Final = 0.72  # opacity of a cell from which on white text is easier to read

_RC: Final[dict[Any, Any]] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9.5,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "none",
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.7,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "svg.fonttype": "none",  # keep text as text: sharp, searchable, in the font of the page
}


@contextmanager
def styled(height_in: float, width_in: float = WIDTH_IN) -> Iterator[Figure]:
    """Yield a new figure; the style applies inside the block only."""
    with mpl.rc_context(_RC):
        yield Figure(figsize=(width_in, height_in), layout="constrained")


def write_png(figure: Figure, path: Path) -> None:
    """Write the figure on a white background, for print."""
    with mpl.rc_context(_RC):
        figure.savefig(path, dpi=PNG_DPI, facecolor="white", metadata={"Software": None})


def to_svg(figure: Figure, name: str, description: str) -> str:
    """Convert the figure to an SVG element with the colours of the page and the width of its column.

    Args:
        figure: from `styled`.
        name: unique on the page.
        description: for screen readers.
    """
    file = io.StringIO()
    with mpl.rc_context({**_RC, "svg.hashsalt": name}):
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r'id="', f'id="{name}-', svg)
    svg = re.sub(r'(href="#|url\(#)', rf"\1{name}-", svg)
    svg = re.sub(r"font(-family)?: ([\d.]+px )?'[^;\"]*", lambda match: _page_font(match[2]), svg)
    for colour, variable in _CSS_VARIABLES.items():
        svg = svg.replace(colour, variable)
    label = description.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    return re.sub(r'<svg[^>]*?(viewBox="[^"]*")[^>]*>', rf'<svg \1 role="img" aria-label="{label}">', svg, count=1)


def _page_font(size: str | None) -> str:
    return f"font-size: {size.strip()}" if size else "font-family: inherit"
