"""A training job as it is followed at a terminal: its lines as they come, a live line of its progress, its end."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from cli.console import print_json, progress_bars

if TYPE_CHECKING:
    from operations.jobs.follow import JobState, Watcher

INTERRUPTED = 130


@contextmanager
def watcher(*, quiet: bool) -> "Iterator[Watcher]":
    """Show what is told about a job; with `quiet`, standard output stays free for JSON."""
    from operations.jobs.follow import Watcher

    with progress_bars() as on_progress:
        yield Watcher(
            line=lambda line: click.echo(line, err=quiet),
            progress=on_progress,
            state=lambda state: click.echo(f"[{state.secondary}] {state.message}".rstrip(), err=True),
            trouble=lambda sentence: click.echo(f"lesion: {sentence}", err=True),
        )


def follow_to_the_end(name: str, region: str | None, *, as_json: bool) -> None:
    """Follow a job, and exit as it ended: 0 if it completed, 1 if not, 130 if it is no longer followed."""
    from operations.jobs.follow import follow

    poll_s = 0.5 if _is_local() else 5.0
    try:
        with watcher(quiet=as_json) as told:
            state = follow(name, told, region, poll_s=poll_s)
    except KeyboardInterrupt as stopped:
        click.echo(
            f"\nlesion: the job goes on. `lesion jobs logs {name} --follow` follows it again, and "
            f"`lesion jobs stop {name}` ends it.",
            err=True,
        )
        raise click.exceptions.Exit(INTERRUPTED) from stopped
    if as_json:
        print_json(describe_state(state))
    if state.status != "Completed":
        raise click.ClickException(how_it_ended(state))
    click.echo(f"The job {name} is completed.", err=True)


def how_it_ended(state: "JobState") -> str:
    """Say why a job did not complete, and what to do next."""
    reason = (state.failure or state.message or state.secondary).rstrip(".")
    return " ".join(part for part in (f"The job {state.name} is {state.status}: {reason}.", state.advice) if part)


def describe_state(state: "JobState") -> dict[str, Any]:
    """Give a job's state for a program to read."""
    from dataclasses import asdict

    return {key: value.isoformat() if hasattr(value, "isoformat") else value for key, value in asdict(state).items()}


def _is_local() -> bool:
    import os

    return "127.0.0.1" in os.environ.get("AWS_ENDPOINT_URL", "")
