"""Progress bars on standard error, and results as JSON on standard output."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from training.progress import OnProgress

if TYPE_CHECKING:
    from rich.progress import TaskID


@contextmanager
def progress_bars() -> Iterator[OnProgress]:
    """Show a bar for each kind of work that reports progress; without a terminal, one line when it is done."""
    if not sys.stderr.isatty():
        yield _print_when_done
        return
    from rich.console import Console  # here, so that `lesion --help` need not load it
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=Console(stderr=True)) as bars:

        def on_progress(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done, total=total)

        yield on_progress


def _print_when_done(what: str, done: int, total: int) -> None:
    if done == total:
        click.echo(f"{what}: {total} done", err=True)


def print_json(value: Any) -> None:
    """Print a result as JSON, for programs."""
    click.echo(json.dumps(value, indent=2, default=str))
