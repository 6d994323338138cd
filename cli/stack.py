"""The stack that a command works with: `--stack` and `--region`, and the connection to it."""

import os
from typing import TYPE_CHECKING

import click

from cli.local import FOLDER

if TYPE_CHECKING:
    from operations.account import Stack

LOCAL = "local"

stack_option = click.option(
    "--stack", default=LOCAL, show_default=True, envvar="LESION_STACK", show_envvar=True, metavar="NAME",
    help="The deployed stack; local is the one on this machine.",
)  # fmt: skip
region_option = click.option(
    "--region", metavar="REGION", help="AWS region of the stack.  [default: from AWS_REGION or the AWS profile]"
)


def connect(stack: str, region: str | None = None) -> "Stack":
    """Open a deployed stack. For the local stack, AWS's environment variables of this process are set to it.

    Raises:
        click.ClickException: the local stack is not running.
        DeploymentError: there is no such stack, or AWS refuses.
    """
    if stack == LOCAL:
        _use_local_aws()
    from operations.account import open_stack

    return open_stack(stack, region)


def _use_local_aws() -> None:
    from local.state import read_state

    state = read_state(FOLDER)
    if state and "aws" in state["urls"]:
        os.environ.update(state["environment"])
    elif "AWS_ENDPOINT_URL" not in os.environ:
        raise click.ClickException(
            "The local stack is down: start it with `lesion local up`, or name a deployed one with --stack."
        )
