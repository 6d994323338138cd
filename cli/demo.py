"""`lesion demo`: the whole flow on one machine, from a model, or from the pictures to train one, to an answer."""

import itertools
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.console import progress_bars
from cli.local import FOLDER, MODELS, REFERENCE_MODEL, start_parts
from cli.predict import describe
from cli.prediction_client import ask_api
from contract.errors import AnalyzerError
from training.quiet import quiet_tensorflow

if TYPE_CHECKING:
    from contract.bundle import Manifest

SYNTHETIC = FOLDER / "synthetic"
CACHE = Path(".cache")
TIMEOUT_S = 60.0

SMALL = "A demo model is not a good model: it saw few pictures, briefly. Never a diagnosis."
NON_COMMERCIAL = "This model is for non-commercial use (CC BY-NC 4.0; models/README.md). Never a diagnosis."

# Measured to train within four minutes on two cores.
FROM_SCRATCH: dict[str, Any] = {"size": 96, "images": 500, "head_epochs": 0, "fine_tune_epochs": 4}
FROM_WEIGHTS: dict[str, Any] = {"size": 160, "images": 1200, "head_epochs": 3, "fine_tune_epochs": 0}


@click.command()
@click.option("--train", "train_first", is_flag=True, help="Train a small model first, and serve that.")
@click.option("--weights", help="To start training from: none, imagenet or an .npz file; implies --train.")
@click.option("--once", is_flag=True, help="Ask about two pictures through the page and the API, then stop.")
@click.option("--page-port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0: any free port.")
@click.option("--api-port", type=click.IntRange(0, 65535), default=8001, show_default=True, help="0: any free port.")
@click.option("--aws-port", type=click.IntRange(0, 65535), default=8002, show_default=True, help="0: any free port.")
def demo(train_first: bool, weights: str | None, once: bool, page_port: int, api_port: int, aws_port: int) -> None:
    """Serve the reference model, or train a small one and serve that, and stay until Ctrl-C.

    Training takes the pictures in HAM10000_DIR, or synthetic ones where there are none.
    """
    from contract.bundle import read_bundle
    from local.stack import LocalStack, Ports

    numbers = itertools.count(1)
    ports = Ports(page=page_port, api=api_port, aws=aws_port)
    with LocalStack(FOLDER, ports=ports) as stack:  # claims the ports before minutes of training, not after them
        if train_first or weights is not None:
            with _step(next(numbers), "labelled pictures"):
                pictures = _labelled_pictures()
            with _step(next(numbers), "a model: ResNet50, small and short enough for two processor cores"):
                bundle, terms = _train(pictures, weights or "none"), SMALL
        else:
            with _step(next(numbers), "the model that comes with this project"):
                bundle, pictures, terms = REFERENCE_MODEL, _named_pictures() or REFERENCE_MODEL, NON_COMMERCIAL
                _describe(bundle, read_bundle(bundle))
        with _step(next(numbers), "the stack: S3, the Lambda function behind an HTTP API, the page"):
            urls = start_parts(stack, bundle, say=_say)
        click.echo(f"\n{terms}")
        if once:
            with _step(next(numbers), "two pictures through the page and the API"):
                for picture in _two_pictures(pictures):
                    _say(f"page  {picture.name}: {_ask_page(urls['page'], picture)}")
                    _say(f"API   {describe(picture.name, ask_api(urls['api'], picture.read_bytes()))}")
            return
        click.echo(f"Open {urls['page']} and send it a picture. Ctrl-C stops everything.")
        try:
            stack.wait()
        except KeyboardInterrupt:
            click.echo("\nstopping; `lesion local up` serves a model again without training")


@contextmanager
def _step(number: int, what: str) -> Iterator[None]:
    click.secho(f"\n[{number}] {what}", bold=True)
    began = time.perf_counter()
    yield
    click.echo(f"    ({time.perf_counter() - began:.0f} s)")


def _say(line: str) -> None:
    click.echo(f"    {line}")


def _named_pictures() -> Path | None:
    """Find the real pictures, if there are any."""
    from training.data.layout import METADATA

    named = Path(os.environ.get("HAM10000_DIR") or "data/ham10000")
    return named if (named / METADATA).is_file() else None


def _labelled_pictures() -> Path:
    from training.data.layout import METADATA
    from training.data.synthetic.dataset import write_synthetic_dataset

    if named := _named_pictures():
        _say(f"the real ones in {named}")
        return named
    if (SYNTHETIC / METADATA).is_file():
        _say(f"there is no HAM10000 in HAM10000_DIR, so the synthetic ones in {SYNTHETIC}")
        return SYNTHETIC
    _say(f"there is no HAM10000 in HAM10000_DIR, so synthetic ones are painted into {SYNTHETIC}")
    with progress_bars() as on_progress:
        write_synthetic_dataset(SYNTHETIC, on_progress=on_progress)
    return SYNTHETIC


def _train(pictures: Path, weights: str) -> Path:
    quiet_tensorflow()
    from training.config import TrainingConfig
    from training.progress import Reporter
    from training.train import train

    small = FROM_SCRATCH if weights == "none" else FROM_WEIGHTS
    with progress_bars() as on_progress:
        trained = train(
            TrainingConfig(weights=weights, **small),
            pictures,
            MODELS,
            cache=CACHE,
            reporter=Reporter(on_progress, _say),
        )
    _describe(trained.folder, trained.manifest)
    return trained.folder


def _describe(bundle: Path, manifest: "Manifest") -> None:
    from contract.api import HEADLINE_METRICS

    _say(f"trained on {manifest.data.images:,} pictures of {manifest.data.lesions:,} lesions ({manifest.data.name})")
    for name in HEADLINE_METRICS:
        if (metric := manifest.metrics.get(name)) is not None:
            _say(f"{name:<28} {metric.value:6.3f}  (95% {metric.low:.3f} to {metric.high:.3f}, held-out lesions)")
    here = Path.cwd()
    _say(f"bundle {bundle.relative_to(here) if bundle.is_relative_to(here) else bundle}")


def _two_pictures(folder: Path) -> list[Path]:
    """Take two of the originals, of the labelled pictures, or of those that a bundle was first asked about."""
    for pattern in ("originals/*.jpg", "*images*/*.jpg", "golden/*.jpg"):
        if found := sorted(folder.glob(pattern)):
            return found[:2]
    return []


def _ask_page(page_url: str, picture: Path) -> str:
    """Send the page's form as a browser does, and read the heading of what comes back."""
    import urllib3

    with urllib3.PoolManager(timeout=TIMEOUT_S, retries=False) as browser:
        form = browser.request("GET", page_url).data.decode()
        token = re.search(r'name="token" value="([^"]+)"', form)
        if token is None:
            raise AnalyzerError(f"{page_url} shows no form.")
        fields = {"token": token[1], "image": (picture.name, picture.read_bytes(), "image/jpeg")}
        answer = browser.request("POST", page_url, fields=fields)
    heading = _Heading()
    heading.feed(answer.data.decode())
    return f"{answer.status} {' '.join(heading.text.split())}"


class _Heading(HTMLParser):
    """Reads the text of a page's h1."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        self._inside = self._inside or tag == "h1"

    def handle_endtag(self, tag: str) -> None:
        self._inside = self._inside and tag != "h1"

    def handle_data(self, data: str) -> None:
        self.text += data if self._inside else ""
