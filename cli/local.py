"""`lesion local`: the complete stack on this machine."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.console import print_json

if TYPE_CHECKING:
    from local.stack import LocalStack
    from training.progress import Log

FOLDER = Path(".local")
MODELS = Path("artifacts/models")  # the default output folder of `lesion train`
REFERENCE_MODEL = Path(__file__).resolve().parents[1] / "models" / "reference"  # in the repository
DEFAULT_BUNDLE = f"[default: the newest in {MODELS}, or the reference model if there is none]"

folder_option = click.option(
    "--folder", type=click.Path(path_type=Path), default=FOLDER, show_default=True, help="Folder for state and logs."
)


def port_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options --page-port, --api-port and --aws-port to a command."""
    for name, default in (("aws", 8002), ("api", 8001), ("page", 8000)):  # the last one is the first in the help
        port = click.option(
            f"--{name}-port",
            type=click.IntRange(0, 65535),
            default=default,
            show_default=True,
            help="0: any free port.",
        )
        command = port(command)
    return command


@click.group()
def local() -> None:
    """Run the complete stack on this machine, without an AWS account."""


@local.command()
@click.option("--bundle", type=click.Path(path_type=Path), help=f"Model to serve.  {DEFAULT_BUNDLE}")
@port_options
@click.option("--concurrency", type=click.IntRange(1, 64), default=2, show_default=True,
              help="Limit of concurrent calls of the function.")  # fmt: skip
@click.option("--canary", "canary_s", type=click.FloatRange(1), default=20.0, show_default=True, metavar="SECONDS",
              help="How long a promoted model gets a tenth of the traffic before it gets all of it.")  # fmt: skip
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
    """Start all parts, print their URLs, and stop them on Ctrl-C."""
    from contract.bundle import read_bundle
    from local.stack import LocalStack, Ports

    bundle = bundle or default_bundle()
    read_bundle(bundle)  # raises an error before anything starts
    ports = Ports(page=page_port, api=api_port, aws=aws_port)
    stack = LocalStack(folder, ports=ports, concurrency=concurrency, canary_s=canary_s)
    with stack:
        start_parts(stack, bundle, log=click.echo)
        click.echo("Ctrl-C stops everything.")
        try:
            stack.wait()
        except KeyboardInterrupt:
            click.echo("\nstopping")


@local.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@folder_option
def status(as_json: bool, folder: Path) -> None:
    """Show which parts run and whether they respond. Exit status 1: the stack is down, or a part does not respond."""
    from local.processes import responds
    from local.state import read_state

    state = read_state(folder)
    urls: dict[str, str] = state["urls"] if state else {}
    health = {"page": "/healthz", "api": "/v1/health", "aws": "/moto-api/"}
    parts = {name: {"url": url, "answers": responds(url + health[name])} for name, url in urls.items()}
    if as_json:
        print_json({"running": bool(state), "parts": parts})
    elif state:
        for name, part in parts.items():
            click.echo(f"{name:<5} {part['url']}  {'responds' if part['answers'] else 'does not respond'}")
    else:
        click.echo("The local stack is down.")
    if not parts or not all(part["answers"] for part in parts.values()):
        raise click.exceptions.Exit(1)


@local.command()
@folder_option
def down(folder: Path) -> None:
    """Stop the stack that runs in another terminal."""
    from local.state import stop_stack

    click.echo("stopped" if stop_stack(folder) else "The local stack was not running.")


def start_parts(stack: "LocalStack", bundle: Path, *, log: "Log") -> dict[str, str]:
    """Start every part, and publish and register the bundle as on AWS; return each part's URL."""
    from contract.bundle import read_bundle
    from local.resources import MODEL_GROUP, MODELS_BUCKET
    from operations.account import Account
    from operations.registry.packages import ModelRegistry
    from operations.registry.publish import publish

    aws_url = stack.start_aws()
    log(f"AWS APIs  {aws_url}  (by moto)")
    os.environ.update(stack.aws_environment)  # from here on, AWS's SDKs in this process call the local APIs
    model_uri = publish(bundle, f"s3://{MODELS_BUCKET}")
    ModelRegistry(Account(), MODEL_GROUP).register(read_bundle(bundle), model_uri)
    log(f"model     {model_uri}")
    api_url = stack.start_api(model_uri)
    log(f"API       {api_url}  (the Lambda function under AWS's runtime interface emulator)")
    page_url = stack.start_page()
    log(f"page      {page_url}")
    return {"aws": aws_url, "api": api_url, "page": page_url}


def default_bundle() -> Path:
    """Return the newest bundle in `MODELS`, or the reference model if there is none."""
    # a version starts with its time of creation
    return max((path.parent for path in MODELS.glob("*/manifest.json")), default=REFERENCE_MODEL)
