"""Follow a training job in a terminal: its log lines, a progress bar, its state, and an exit status at its end."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from cli.console import print_json, progress_bars

if TYPE_CHECKING:
    from operations.account import Account
    from operations.jobs.follow import JobListener
    from operations.jobs.job import JobState

INTERRUPTED = 130


def follow_to_the_end(name: str, account: "Account", *, as_json: bool) -> None:
    """Follow a job, and exit with 0 if it completed, 1 if it did not, 130 after Ctrl-C."""
    from operations.jobs.follow import follow

    poll_s = 0.5 if _is_local() else 5.0
    try:
        with _listener(log_to_stderr=as_json) as listener:
            state = follow(name, listener, account, poll_s=poll_s)
    except KeyboardInterrupt as interrupt:
        click.echo(
            f"\nlesion: the job continues. `lesion jobs logs {name} --follow` follows it again, and "
            f"`lesion jobs stop {name}` stops it.",
            err=True,
        )
        raise click.exceptions.Exit(INTERRUPTED) from interrupt
    if as_json:
        print_json(describe_state(state))
    if state.status != "Completed":
        raise click.ClickException(explain_end(state))
    click.echo(f"The job {name} is completed.", err=True)


@contextmanager
def _listener(*, log_to_stderr: bool) -> "Iterator[JobListener]":
    from operations.jobs.follow import JobListener

    with progress_bars() as on_progress:
        yield JobListener(
            line=lambda line: click.echo(line, err=log_to_stderr),
            progress=on_progress,
            state=lambda state: click.echo(f"[{state.secondary}] {state.message}".rstrip(), err=True),
            connection=lambda sentence: click.echo(f"lesion: {sentence}", err=True),
        )


def explain_end(state: "JobState") -> str:
    """Explain why a job did not complete, and name the next step."""
    reason = (state.failure or state.message or state.secondary).rstrip(".")
    return " ".join(part for part in (f"The job {state.name} is {state.status}: {reason}.", state.advice) if part)


def describe_state(state: "JobState") -> dict[str, Any]:
    """Return the state of a job as plain values."""
    from dataclasses import asdict

    return {key: value.isoformat() if hasattr(value, "isoformat") else value for key, value in asdict(state).items()}


def _is_local() -> bool:
    return "127.0.0.1" in os.environ.get("AWS_ENDPOINT_URL", "")
