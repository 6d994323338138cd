"""How long work and results are shown: progress on standard error, results on standard output."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from training.progress import OnProgress


@contextmanager
def progress_bars() -> Iterator[OnProgress]:
    """Show a bar for each kind of work that reports itself; without a terminal, a line when each is done."""
    if not sys.stderr.isatty():
        yield _plain_lines
        return
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=Console(stderr=True)) as bars:

        def on_progress(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done, total=total)

        yield on_progress


def _plain_lines(what: str, done: int, total: int) -> None:
    if done == total:
        click.echo(f"{what}: {total} done", err=True)


def print_json(value: Any) -> None:
    """Print a result for a program to read."""
    click.echo(json.dumps(value, indent=2, default=str))
