"""What `lesion predict --out` says of the pictures that were refused and of the files that were left out."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

import click

from cli.escape import escape_message, escape_name
from cli.prediction.find_pictures import SYSTEM_FILE, LeftOut
from cli.prediction.table_formats import Row

MAX_NAMES = 20  # of one list on a terminal; all are in the table, or in the output of --json


def summary_of(rows: Sequence[Row], left_out: Sequence[LeftOut]) -> dict[str, Any]:
    """Count the rows, and list the files that were left out, for programs."""
    refused = sum(row["error"] is not None for row in rows)
    return {
        "pictures": len(rows),
        "answered": len(rows) - refused,
        "refused": refused,
        "left_out": [{"path": escape_name(name), "reason": reason} for name, reason in left_out],
    }


def print_refused(rows: Iterable[Row]) -> None:
    """Name the refused pictures and the reasons, on standard error."""
    lines = [f"{escape_name(row['picture'])}: {escape_message(row['detail'])}" for row in rows if row["error"]]
    _print_names("Refused:", lines, "the table lists all")


def print_left_out(left_out: Iterable[LeftOut]) -> None:
    """Name the files that are left out, by reason, on standard error; those of operating systems are counted."""
    for reason, group in groupby(sorted(left_out, key=lambda file: file.reason), key=lambda file: file.reason):
        names = [escape_name(name) for name, _ in group]
        if reason == SYSTEM_FILE:
            click.echo(f"Left out, {reason} (.DS_Store, Thumbs.db, ...): {len(names)}", err=True)
        else:
            _print_names(f"Left out, {reason}:", names, "--json lists all")


def _print_names(heading: str, lines: Sequence[str], where_all_are: str) -> None:
    if not lines:
        return
    click.echo(heading, err=True)
    for line in lines[:MAX_NAMES]:
        click.echo(f"    {line}", err=True)
    if len(lines) > MAX_NAMES:
        click.echo(f"    ... and {len(lines) - MAX_NAMES} more: {where_all_are}", err=True)
