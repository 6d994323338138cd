"""Write a report: one self-contained HTML page from a template and figures, and the figures as PNG files."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import jinja2
from markupsafe import Markup
from matplotlib.figure import Figure
from PIL import Image

from training.progress import OnProgress, ignore_progress
from training.reporting.style import to_svg, write_png

PAGE: Final = "report.html"
FIGURES: Final = "figures"
TEMPLATE: Final = "page.html"
JPEG_QUALITY: Final = 80


@dataclass(frozen=True, eq=False)
class Chart:
    """A figure with its title and caption."""

    name: str  # unique on the page; also part of the file name
    title: str
    caption: str
    figure: Figure

    @property
    def svg(self) -> Markup:
        """The figure as an SVG element of the page."""
        return Markup(to_svg(self.figure, self.name, f"{self.title}. {self.caption}"))  # noqa: S704 - drawn here


def write_page(
    folder: Path, package: str, charts: Sequence[Chart], on_progress: OnProgress = ignore_progress, **context: Any
) -> Path:
    """Write `report.html` and `figures/<number>-<name>.png` into a folder.

    Args:
        folder: exists and has no report.
        package: with the template `page.html`, which extends `base.html` and may use `macros.html` of this package.
        charts: in their order on the page.
        on_progress: called as ("drawing figures", number done, total).
        context: the variables of the template; `figures` is added: name -> (number, chart).

    Returns:
        The path of the page.
    """
    (folder / FIGURES).mkdir()
    for number, chart in enumerate(charts, 1):
        write_png(chart.figure, folder / FIGURES / f"{number:02}-{chart.name}.png")
        on_progress("drawing figures", number, len(charts))
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader(
            [jinja2.PackageLoader(package, "."), jinja2.PackageLoader("training.reporting", ".")]
        ),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    figures = {chart.name: (number, chart) for number, chart in enumerate(charts, 1)}
    text = environment.get_template(TEMPLATE).render(figures=figures, **context)
    (folder / PAGE).write_text(text, encoding="utf-8")
    return folder / PAGE


def as_data_url(picture: Image.Image) -> str:
    """Encode a picture as a data URL, so that the page needs no other file."""
    jpeg = io.BytesIO()
    picture.save(jpeg, "JPEG", quality=JPEG_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(jpeg.getvalue()).decode()
