"""Which deployed stack a command is about: `--stack` and `--region`, and the way to the one on this machine."""

import os
from typing import TYPE_CHECKING

import click

from cli.local import FOLDER

if TYPE_CHECKING:
    from operations.deployment import Deployment

LOCAL = "local"

stack_option = click.option(
    "--stack", default=LOCAL, show_default=True, envvar="LESION_STACK", show_envvar=True, metavar="NAME",
    help="The deployed stack; local is the one on this machine.",
)  # fmt: skip
region_option = click.option("--region", metavar="REGION", help="Of the stack, where it is not AWS_REGION's.")


def reach(stack: str, region: str | None = None) -> "Deployment":
    """Read what a stack tells of itself; from here on, AWS is the one that it is in.

    Raises:
        click.ClickException: the stack on this machine is down.
        DeploymentError: there is no such stack, or AWS refuses.
    """
    from operations.aws import read_deployment

    if stack == LOCAL:
        _point_to_local()
    return read_deployment(stack, region)


def _point_to_local() -> None:
    from local.state import read_state

    state = read_state(FOLDER)
    if state and "aws" in state["urls"]:
        os.environ.update(state["environment"])
    elif "AWS_ENDPOINT_URL" not in os.environ:
        raise click.ClickException(
            "The local stack is down: start it with `lesion local up`, or name a deployed one with --stack."
        )
