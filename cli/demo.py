"""`lesion demo`: the complete flow on one machine, from a model (or the training of one) to a prediction."""

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
from cli.local import FOLDER, MODELS, REFERENCE_MODEL, port_options, start_parts
from cli.prediction.client import call_api
from cli.prediction.predict import describe
from contract.errors import AnalyzerError
from training.quiet import quiet_tensorflow

if TYPE_CHECKING:
    from contract.bundle import Manifest

SYNTHETIC = FOLDER / "synthetic"
CACHE = Path(".cache")
TIMEOUT_S = 60.0

DEMO_MODEL_TERMS = (
    "A demo model is not a good model: it was trained on few pictures, for a short time. Never a diagnosis."
)
REFERENCE_MODEL_TERMS = "This model is for non-commercial use (CC BY-NC 4.0; models/README.md). Never a diagnosis."

# Measured: both train within four minutes on two cores.
FROM_SCRATCH: dict[str, Any] = {"size": 96, "images": 500, "head_epochs": 0, "fine_tune_epochs": 4}
FROM_WEIGHTS: dict[str, Any] = {"size": 160, "images": 1200, "head_epochs": 3, "fine_tune_epochs": 0}


@click.command()
@click.option("--train", "train_first", is_flag=True, help="Train a small model first, and serve it.")
@click.option("--weights", help="Initial weights of the training: none, imagenet or an .npz file. Implies --train.")
@click.option("--once", is_flag=True, help="Send two pictures to the page and the API, then stop.")
@port_options
def demo(train_first: bool, weights: str | None, once: bool, page_port: int, api_port: int, aws_port: int) -> None:
    """Serve the reference model, or a small model that is trained first, until Ctrl-C.

    Training uses the pictures in HAM10000_DIR, or synthetic pictures if there are none.
    """
    from contract.bundle import read_bundle
    from local.stack import LocalStack, Ports

    numbers = itertools.count(1)
    ports = Ports(page=page_port, api=api_port, aws=aws_port)
    with LocalStack(FOLDER, ports=ports) as stack:  # before the training: a taken port is an error now
        if train_first or weights is not None:
            with _step(next(numbers), "labelled pictures"):
                pictures = _labelled_pictures()
            with _step(next(numbers), "training: ResNet50, few pictures and epochs, for two processor cores"):
                bundle, terms = _train(pictures, weights or "none"), DEMO_MODEL_TERMS
        else:
            with _step(next(numbers), "the reference model"):
                bundle, pictures, terms = REFERENCE_MODEL, _real_pictures() or REFERENCE_MODEL, REFERENCE_MODEL_TERMS
                _describe(bundle, read_bundle(bundle))
        with _step(next(numbers), "the stack: S3, the Lambda function behind an HTTP API, the page"):
            urls = start_parts(stack, bundle, log=_say)
        click.echo(f"\n{terms}")
        if once:
            with _step(next(numbers), "two pictures, sent to the page and to the API"):
                for picture in _two_pictures(pictures):
                    _say(f"page  {picture.name}: {_ask_page(urls['page'], picture)}")
                    _say(f"API   {describe(picture.name, call_api(urls['api'], picture.read_bytes()))}")
            return
        click.echo(f"Open {urls['page']} and upload a picture. Ctrl-C stops everything.")
        try:
            stack.wait()
        except KeyboardInterrupt:
            click.echo("\nstopping; `lesion local up` serves the newest model without training")


@contextmanager
def _step(number: int, title: str) -> Iterator[None]:
    click.secho(f"\n[{number}] {title}", bold=True)
    began = time.perf_counter()
    yield
    click.echo(f"    ({time.perf_counter() - began:.0f} s)")


def _say(line: str) -> None:
    click.echo(f"    {line}")


def _real_pictures() -> Path | None:
    """Return the folder of the real pictures, if there is one."""
    from training.data.layout import METADATA

    folder = Path(os.environ.get("HAM10000_DIR") or "data/ham10000")
    return folder if (folder / METADATA).is_file() else None


def _labelled_pictures() -> Path:
    from training.data.layout import METADATA
    from training.data.synthetic.dataset import write_synthetic_dataset

    if real := _real_pictures():
        _say(f"HAM10000 in {real}")
        return real
    if (SYNTHETIC / METADATA).is_file():
        _say(f"HAM10000_DIR has no HAM10000: using the synthetic pictures in {SYNTHETIC}")
        return SYNTHETIC
    _say(f"HAM10000_DIR has no HAM10000: creating synthetic pictures in {SYNTHETIC}")
    with progress_bars() as on_progress:
        write_synthetic_dataset(SYNTHETIC, on_progress=on_progress)
    return SYNTHETIC


def _train(pictures: Path, weights: str) -> Path:
    quiet_tensorflow()
    from training.config import TrainingConfig
    from training.fit_model import RunContext
    from training.progress import Reporter
    from training.train import train

    small = FROM_SCRATCH if weights == "none" else FROM_WEIGHTS
    with progress_bars() as on_progress:
        trained = train(
            TrainingConfig(weights=weights, **small),
            pictures,
            MODELS,
            RunContext(cache=CACHE, reporter=Reporter(on_progress, _say)),
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
    """Return two pictures: of HAM10000's originals, else of the labelled pictures, else of the bundle's golden ones."""
    for pattern in ("originals/*.jpg", "*images*/*.jpg", "golden/*.jpg"):
        if found := sorted(folder.glob(pattern)):
            return found[:2]
    return []


def _ask_page(page_url: str, picture: Path) -> str:
    """Submit the page's form as a browser does; return the status and the heading of the result."""
    import urllib3

    with urllib3.PoolManager(timeout=TIMEOUT_S, retries=False) as browser:
        form = browser.request("GET", page_url).data.decode()
        token = re.search(r'name="token" value="([^"]+)"', form)
        if token is None:
            raise AnalyzerError(f"{page_url} shows no upload form: see the page's log in {FOLDER}/logs.")
        fields = {"token": token[1], "image": (picture.name, picture.read_bytes(), "image/jpeg")}
        response = browser.request("POST", page_url, fields=fields)
    heading = _Heading()
    heading.feed(response.data.decode())
    return f"{response.status} {' '.join(heading.text.split())}"


class _Heading(HTMLParser):
    """Reads the text of a page's h1 element."""

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
