"""`lesion predict --out`: many pictures, asked about side by side, into one table."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import click

from cli.console import print_json, progress_bars
from cli.prediction_client import Ask, asking
from cli.results import Results, Stamp
from contract.api import Prediction, Problem
from contract.errors import AnalyzerError
from contract.rows import row_of

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
GO_ON = "What was answered is kept: run the same command again to go on."


class Listed(NamedTuple):
    """A picture to ask about."""

    name: str  # below the folder that was named, or the path of a file that was named itself
    path: Path


def predict_table(
    places: Sequence[Path], out: Path, *, url: str | None, bundle: Path | None, workers: int | None, as_json: bool
) -> None:
    """Ask about every picture, and write a row for each; exit 1 if one of them was refused.

    Raises:
        AnalyzerError: there is no picture, `out` cannot be written, or there is nobody to ask.
    """
    pictures = list(_listed(places))
    if not pictures:
        raise AnalyzerError(f"There is no picture ({', '.join(SUFFIXES)}) in {places[0]}.")
    workers = workers or os.cpu_count() or 1
    with asking(url, bundle, workers=workers) as (ask, who), Results(out, answered_by=who) as results:
        stamps = {picture.name: _stamp(picture.path) for picture in pictures}
        missing = [picture for picture in pictures if not results.has(picture.name, stamps[picture.name])]
        with progress_bars() as on_progress, ThreadPoolExecutor(workers) as threads:
            on_progress("asking", len(pictures) - len(missing), len(pictures))
            try:
                for number, answer in enumerate(threads.map(lambda picture: _ask(ask, picture), missing), start=1):
                    name = missing[number - 1].name
                    results.add(name, stamps[name], row_of(name, answer))
                    on_progress("asking", len(pictures) - len(missing) + number, len(pictures))
            except KeyboardInterrupt:
                click.echo(GO_ON, err=True)
                raise
            finally:
                threads.shutdown(wait=False, cancel_futures=True)
        rows = results.finish([picture.name for picture in pictures])
    refused = sum(row["error"] is not None for row in rows)
    if as_json:
        print_json({"out": str(out), "pictures": len(rows), "refused": refused, "answered_by": who})
    else:
        click.echo(f"{out}: {len(rows)} pictures, {refused} of them refused. Never a diagnosis.")
    if refused:
        raise click.exceptions.Exit(1)


def _listed(places: Sequence[Path]) -> Iterator[Listed]:
    for place in places:
        if not place.is_dir():
            yield Listed(str(place), place)
            continue
        for path in sorted(place.rglob("*")):
            below = path.relative_to(place)
            if path.suffix.lower() in SUFFIXES and not any(part.startswith(".") for part in below.parts):
                yield Listed(below.as_posix() if len(places) == 1 else str(path), path)


def _stamp(path: Path) -> Stamp:
    try:
        stat = path.stat()
    except OSError:  # a link that leads nowhere, a folder that cannot be searched: its row will say so
        return 0, 0
    return stat.st_size, stat.st_mtime_ns


def _ask(ask: Ask, picture: Listed) -> Prediction | Problem:
    """Ask about one picture; a file that cannot be read gets a problem in its place.

    Raises:
        AnalyzerError: there is no model, or nobody answers: no row would say anything about the picture.
    """
    try:
        encoded = picture.path.read_bytes()
    except OSError as error:
        return _problem("unreadable_file", "The file cannot be read", f"{error.strerror or error}.")
    try:
        answer = ask(encoded)
    except AnalyzerError as error:
        raise AnalyzerError(f"{picture.name}: {error} {GO_ON}") from error
    if isinstance(answer, Problem) and answer.status >= 500:
        raise AnalyzerError(f"{picture.name}: {answer.detail} {GO_ON}")
    return answer


def _problem(code: str, title: str, detail: str) -> Problem:
    return Problem(type=f"urn:skin-lesion-analyzer:problem:{code}", title=title, status=422, detail=detail, code=code,
                   request_id="")  # fmt: skip
