"""`lesion predict --out`: classify many pictures in parallel, and write one table."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click

from cli.console import print_json, progress_bars
from cli.escape import escape_name
from cli.prediction.client import PredictionClient, open_client
from cli.prediction.find_pictures import NamedPicture, find_pictures
from cli.prediction.picture_file import predict_file
from cli.prediction.results import Fingerprint, Results, check_out, files_beside
from cli.prediction.summary import print_left_out, print_refused, summary_of
from contract.api import Prediction, Problem
from contract.errors import AnalyzerError
from contract.rows import row_of

HOW_TO_CONTINUE = "The finished rows are kept: run the same command again to continue."


def predict_table(
    paths: Sequence[Path], out: Path, *, url: str | None, bundle: Path | None, workers: int | None, as_json: bool
) -> None:
    """Classify every picture and write a row for each; exit 1 if one of them is refused.

    Args:
        paths: files, and folders that are searched for pictures.

    Raises:
        AnalyzerError: there is no picture, `out` cannot be written, or neither an API nor a model can be used.
    """
    check_out(out)
    workers = workers or os.cpu_count() or 1
    with open_client(url, bundle, workers=workers) as client:
        pictures, left_out = find_pictures(paths, skip=files_beside(out))
        if not as_json:
            print_left_out(left_out)
        if not pictures:
            raise AnalyzerError(f"There is no picture in {paths[0]}: name another folder.")
        with Results(out, answered_by=client.answered_by) as results:
            _classify(client, pictures, results, workers)
            rows = results.finish([picture.name for picture in pictures])
    summary = summary_of(rows, left_out)
    if as_json:
        print_json({"out": escape_name(str(out)), "answered_by": client.answered_by, **summary})
    else:
        print_refused(rows)
        pictures_text = f"pictures answered: {summary['answered']}, refused: {summary['refused']}"
        click.echo(f"{escape_name(str(out))}: {pictures_text}; files left out: {len(left_out)}. Never a diagnosis.")
    if summary["refused"]:
        raise click.exceptions.Exit(1)


def _classify(client: PredictionClient, pictures: Sequence[NamedPicture], results: Results, workers: int) -> None:
    """Add a row for each picture that has none yet."""
    fingerprints = {picture.name: _fingerprint(picture.path) for picture in pictures}
    missing = [picture for picture in pictures if not results.has(picture.name, fingerprints[picture.name])]
    finished = len(pictures) - len(missing)
    with progress_bars() as on_progress, ThreadPoolExecutor(workers) as threads:
        on_progress("classifying", finished, len(pictures))
        try:
            answers = threads.map(lambda picture: _predict(client, picture), missing)
            for number, (picture, answer) in enumerate(zip(missing, answers, strict=True), start=1):
                results.add(picture.name, fingerprints[picture.name], row_of(picture.name, answer))
                on_progress("classifying", finished + number, len(pictures))
        except KeyboardInterrupt:
            click.echo(HOW_TO_CONTINUE, err=True)
            raise
        finally:
            threads.shutdown(wait=False, cancel_futures=True)


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
    if picture.problem:
        return picture.problem
    try:
        answer = predict_file(client, picture.path)
    except AnalyzerError as error:
        raise AnalyzerError(f"{picture.name}: {error} {HOW_TO_CONTINUE}") from error
    if isinstance(answer, Problem) and answer.status >= 500:
        raise AnalyzerError(f"{picture.name}: {answer.detail} {HOW_TO_CONTINUE}")
    return answer
