"""`lesion models`: the group of its commands."""

import click

from cli.models.promotion import compare, promote, rollback
from cli.models.versions import list_models, register, show, trim


@click.group()
def models() -> None:
    """Register, list, compare, promote and roll back the versions of the model."""


for command in (register, trim, list_models, show, compare, promote, rollback):
    models.add_command(command)
