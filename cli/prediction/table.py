"""`lesion predict --out`: classify many pictures in parallel, and write one table."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import click

from cli.console import print_json, progress_bars
from cli.prediction.client import PredictionClient, open_client
from cli.prediction.results import Fingerprint, Results
from contract.api import Prediction, Problem
from contract.errors import AnalyzerError
from contract.rows import row_of

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
HOW_TO_CONTINUE = "The finished rows are kept: run the same command again to continue."


class NamedPicture(NamedTuple):
    """A picture file, and its name in the table."""

    name: str  # its path below the folder in the command, or its path in the command
    path: Path


def predict_table(
    paths: Sequence[Path], out: Path, *, url: str | None, bundle: Path | None, workers: int | None, as_json: bool
) -> None:
    """Classify every picture and write a row for each; exit 1 if one of them is refused.

    Args:
        paths: files, and folders that are searched for pictures.

    Raises:
        AnalyzerError: there is no picture, `out` cannot be written, or neither an API nor a model can be used.
    """
    pictures = list(_find_pictures(paths))
    if not pictures:
        raise AnalyzerError(f"There is no picture ({', '.join(SUFFIXES)}) in {paths[0]}: name another folder.")
    workers = workers or os.cpu_count() or 1
    with (
        open_client(url, bundle, workers=workers) as client,
        Results(out, answered_by=client.answered_by) as results,
    ):
        fingerprints = {picture.name: _fingerprint(picture.path) for picture in pictures}
        missing = [picture for picture in pictures if not results.has(picture.name, fingerprints[picture.name])]
        with progress_bars() as on_progress, ThreadPoolExecutor(workers) as threads:
            on_progress("classifying", len(pictures) - len(missing), len(pictures))
            try:
                answers = threads.map(lambda picture: _predict(client, picture), missing)
                for number, answer in enumerate(answers, start=1):
                    name = missing[number - 1].name
                    results.add(name, fingerprints[name], row_of(name, answer))
                    on_progress("classifying", len(pictures) - len(missing) + number, len(pictures))
            except KeyboardInterrupt:
                click.echo(HOW_TO_CONTINUE, err=True)
                raise
            finally:
                threads.shutdown(wait=False, cancel_futures=True)
        rows = results.finish([picture.name for picture in pictures])
    refused = sum(row["error"] is not None for row in rows)
    if as_json:
        summary = {"out": str(out), "pictures": len(rows), "refused": refused, "answered_by": client.answered_by}
        print_json(summary)
    else:
        click.echo(f"{out}: {len(rows)} pictures, {refused} of them refused. Never a diagnosis.")
    if refused:
        raise click.exceptions.Exit(1)


def _find_pictures(paths: Sequence[Path]) -> Iterator[NamedPicture]:
    for start in paths:
        if not start.is_dir():
            yield NamedPicture(str(start), start)
            continue
        for path in sorted(start.rglob("*")):
            below = path.relative_to(start)
            if path.suffix.lower() in SUFFIXES and not any(part.startswith(".") for part in below.parts):
                yield NamedPicture(below.as_posix() if len(paths) == 1 else str(path), path)


def _fingerprint(path: Path) -> Fingerprint:
    try:
        stat = path.stat()
    except OSError:  # a broken link, or a folder without permission: the picture's row will give the error
        return 0, 0
    return stat.st_size, stat.st_mtime_ns


def _predict(client: PredictionClient, picture: NamedPicture) -> Prediction | Problem:
    """Classify one picture; for a file that cannot be read, return a problem.

    Raises:
        AnalyzerError: there is no model, or the API does not answer. Such an error is not about the picture, so it
            must not become a row.
    """
    try:
        encoded = picture.path.read_bytes()
    except OSError as error:
        return _problem("unreadable_file", "The file cannot be read", f"{error.strerror or error}.")
    try:
        answer = client.predict(encoded)
    except AnalyzerError as error:
        raise AnalyzerError(f"{picture.name}: {error} {HOW_TO_CONTINUE}") from error
    if isinstance(answer, Problem) and answer.status >= 500:
        raise AnalyzerError(f"{picture.name}: {answer.detail} {HOW_TO_CONTINUE}")
    return answer


def _problem(code: str, title: str, detail: str) -> Problem:
    return Problem(type=f"urn:skin-lesion-analyzer:problem:{code}", title=title, status=422, detail=detail, code=code,
                   request_id="")  # fmt: skip
