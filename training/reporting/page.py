"""From drawn figures and a template to one page that needs no other file, and the figures as PNG beside it."""

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

from training.progress import OnProgress
from training.reporting.style import to_svg, write_png

PAGE: Final = "report.html"
FIGURES: Final = "figures"
TEMPLATE: Final = "page.html"
JPEG_QUALITY: Final = 80


@dataclass(frozen=True, eq=False)
class Drawn:
    """A figure with its words."""

    name: str
    title: str
    caption: str
    figure: Figure

    @property
    def svg(self) -> Markup:
        """The figure, as an element of the page."""
        return Markup(to_svg(self.figure, self.name, f"{self.title}. {self.caption}"))  # noqa: S704 - drawn here


def write_page(
    folder: Path, package: str, drawn: Sequence[Drawn], on_progress: OnProgress | None = None, **words: Any
) -> Path:
    """Write `report.html` and `figures/<number>-<name>.png` into a folder.

    Args:
        folder: exists, and has neither yet.
        package: whose `page.html` is filled in; it extends `base.html` and may use `macros.html` of this package.
        drawn: the figures, in their order on the page.
        on_progress: called as ("drawing figures", done, of how many).
        words: what the template asks for, beside `figures`: name -> (number, figure).

    Returns:
        Where the page is.
    """
    (folder / FIGURES).mkdir()
    for number, figure in enumerate(drawn, 1):
        write_png(figure.figure, folder / FIGURES / f"{number:02}-{figure.name}.png")
        if on_progress:
            on_progress("drawing figures", number, len(drawn))
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader(
            [jinja2.PackageLoader(package, "."), jinja2.PackageLoader("training.reporting", ".")]
        ),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    figures = {figure.name: (number, figure) for number, figure in enumerate(drawn, 1)}
    text = environment.get_template(TEMPLATE).render(figures=figures, **words)
    (folder / PAGE).write_text(text, encoding="utf-8")
    return folder / PAGE


def as_data_url(picture: Image.Image) -> str:
    """Write a picture into an address, so that a page needs no other file."""
    jpeg = io.BytesIO()
    picture.save(jpeg, "JPEG", quality=JPEG_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(jpeg.getvalue()).decode()
