"""`lesion local`: the whole stack on this machine."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.console import print_json

if TYPE_CHECKING:
    from local.stack import LocalStack

FOLDER = Path(".local")
MODELS = Path("artifacts/models")  # where `lesion train` writes unless told otherwise
REFERENCE_MODEL = Path(__file__).resolve().parents[1] / "models" / "reference"  # the one that comes with the project
DEFAULT_BUNDLE = f"[default: the newest in {MODELS}, or else the one that comes with the project]"

folder_option = click.option(
    "--folder", type=click.Path(path_type=Path), default=FOLDER, show_default=True, help="State and logs."
)


@click.group()
def local() -> None:
    """Run the whole stack on this machine, with no account."""


@local.command()
@click.option("--bundle", type=click.Path(path_type=Path), help=f"Model to serve  {DEFAULT_BUNDLE}")
@click.option("--page-port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0: any free port.")
@click.option("--api-port", type=click.IntRange(0, 65535), default=8001, show_default=True, help="0: any free port.")
@click.option("--aws-port", type=click.IntRange(0, 65535), default=8002, show_default=True, help="0: any free port.")
@click.option("--concurrency", type=click.IntRange(1, 64), default=2, show_default=True, help="Function processes.")
@click.option("--canary", "canary_s", type=click.FloatRange(1), default=20.0, show_default=True, metavar="SECONDS",
              help="How long a promoted model gets a tenth of the traffic before it gets all.")  # fmt: skip
@folder_option
def up(
    bundle: Path | None,
    page_port: int,
    api_port: int,
    aws_port: int,
    concurrency: int,
    canary_s: float,
    folder: Path,
) -> None:
    """Start everything, print the addresses, and stop everything on Ctrl-C."""
    from contract.bundle import read_bundle
    from local.stack import LocalStack, Ports

    bundle = bundle or default_bundle()
    read_bundle(bundle)  # before anything starts
    ports = Ports(page=page_port, api=api_port, aws=aws_port)
    stack = LocalStack(folder, ports=ports, concurrency=concurrency, canary_s=canary_s)
    with stack:
        start_parts(stack, bundle, say=click.echo)
        click.echo("Ctrl-C stops everything.")
        try:
            stack.wait()
        except KeyboardInterrupt:
            click.echo("\nstopping")


@local.command()
@click.option("--json", "as_json", is_flag=True, help="For a program to read.")
@folder_option
def status(as_json: bool, folder: Path) -> None:
    """Tell what runs, and whether it answers; exit 1 if nothing does."""
    from local.processes import answers
    from local.stack import read_state

    state = read_state(folder)
    urls: dict[str, str] = state["urls"] if state else {}
    health = {"page": "/healthz", "api": "/v1/health", "aws": "/moto-api/"}
    parts = {name: {"url": url, "answers": answers(url + health[name])} for name, url in urls.items()}
    if as_json:
        print_json({"running": bool(state), "parts": parts})
    elif state:
        for name, part in parts.items():
            click.echo(f"{name:<5} {part['url']}  {'answers' if part['answers'] else 'does not answer'}")
    else:
        click.echo("The local stack is down.")
    if not parts or not all(part["answers"] for part in parts.values()):
        raise click.exceptions.Exit(1)


@local.command()
@folder_option
def down(folder: Path) -> None:
    """Stop the stack that another terminal runs."""
    from local.stack import stop

    click.echo("stopped" if stop(folder) else "The local stack was not running.")


def start_parts(stack: "LocalStack", bundle: Path, *, say: Callable[[str], None]) -> dict[str, str]:
    """Start every part around a bundle, published to the local S3 as to Amazon's; return each part's URL."""
    from contract.bundle import read_bundle
    from local.cloud import MODEL_GROUP, MODELS_BUCKET
    from operations.account import Account
    from operations.registry.packages import ModelRegistry
    from operations.registry.publish import publish

    aws_url = stack.start_aws()
    say(f"AWS APIs  {aws_url}  (by moto)")
    os.environ.update(stack.aws_environment)  # from here on every AWS SDK in this process means the local one
    model_uri = publish(bundle, f"s3://{MODELS_BUCKET}")
    ModelRegistry(Account(), MODEL_GROUP).register(read_bundle(bundle), model_uri)
    say(f"model     {model_uri}")
    api_url = stack.start_api(model_uri)
    say(f"API       {api_url}  (the Lambda function under AWS's runtime interface emulator)")
    page_url = stack.start_page()
    say(f"page      {page_url}")
    return {"aws": aws_url, "api": api_url, "page": page_url}


def default_bundle() -> Path:
    """Find the newest bundle that was trained here, or else the one that comes with the project.

    Versions begin with the time they were made.
    """
    return max((path.parent for path in MODELS.glob("*/manifest.json")), default=REFERENCE_MODEL)
