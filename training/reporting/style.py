"""How every figure looks, as a PNG on white and inside a page that may be light or dark."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.figure import Figure

WIDTH_IN: Final = 4.8  # about 350 CSS pixels at its own size: text stays legible on a phone
PNG_DPI: Final = 200

# These stand for themselves in a PNG and for the page's own colours inside it.
INK: Final = "#1c2127"
FAINT: Final = "#69727d"
RULE: Final = "#d5dae0"
PAPER: Final = "#fefefe"
HEAT: Final = "#005a8f"  # of a cell, as opaque as its value is high
NEGATIVE_HEAT: Final = "#b34d00"
_OF_THE_PAGE: Final = {
    INK: "var(--ink)",
    FAINT: "var(--faint)",
    RULE: "var(--rule)",
    PAPER: "var(--paper)",
    HEAT: "var(--heat)",
    NEGATIVE_HEAT: "var(--negative)",
}

# Okabe and Ito, "Color Universal Design" (2008): told apart with every common kind of colour blindness. Their yellow,
# too pale on white, is left out, and grey stands in for it.
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
WHITE_TEXT_FROM: Final = 0.72  # opacity of a cell above which white is easier to read than ink

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
    "svg.fonttype": "none",  # text stays text: sharp, found by a search, in the page's own type
}


@contextmanager
def styled(height_in: float, width_in: float = WIDTH_IN) -> Iterator[Figure]:
    """Draw a figure in the house's style; the style ends with the block and touches no other figure."""
    with mpl.rc_context(_RC):
        yield Figure(figsize=(width_in, height_in), layout="constrained")


def write_png(figure: Figure, path: Path) -> None:
    """Write it on white, for print."""
    with mpl.rc_context(_RC):
        figure.savefig(path, dpi=PNG_DPI, facecolor="white", metadata={"Software": None})


def to_svg(figure: Figure, name: str, description: str) -> str:
    """Write it as an element of a page: its colours follow the page's, its width the column's.

    Args:
        figure: as `styled` made it.
        name: unlike that of any other figure on the page.
        description: what it shows, for those who do not see it.
    """
    written = io.StringIO()
    with mpl.rc_context({**_RC, "svg.hashsalt": name}):
        figure.savefig(written, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = written.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r'id="', f'id="{name}-', svg)
    svg = re.sub(r'(href="#|url\(#)', rf"\1{name}-", svg)
    svg = re.sub(r"font(-family)?: ([\d.]+px )?'[^;\"]*", lambda found: _page_type(found[2]), svg)
    for colour, of_the_page in _OF_THE_PAGE.items():
        svg = svg.replace(colour, of_the_page)
    label = description.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    return re.sub(r'<svg[^>]*?(viewBox="[^"]*")[^>]*>', rf'<svg \1 role="img" aria-label="{label}">', svg, count=1)


def _page_type(size: str | None) -> str:
    return f"font-size: {size.strip()}" if size else "font-family: inherit"
