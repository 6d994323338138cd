"""`lesion predict`: classify pictures, over HTTP or with a model bundle on this machine."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.console import print_json, progress_bars
from cli.escape import escape_message, escape_name
from cli.prediction.picture_file import is_folder, predict_file

if TYPE_CHECKING:
    from contract.api import Prediction, Problem


@click.command()
@click.argument("pictures", nargs=-1, required=True,
                type=click.Path(exists=True, readable=False, path_type=Path))  # fmt: skip
@click.option("--url", help="Send the pictures to this API. Requests to an API on AWS are signed with your AWS "
              "credentials.")  # fmt: skip
@click.option("--bundle", type=click.Path(path_type=Path), help="Use this model bundle, in the Lambda emulator.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Write a table (.csv or .parquet) with a row for each picture. An interrupted run is continued by "
              "the same command.")  # fmt: skip
@click.option("--workers", type=click.IntRange(1, 64), help="Number of pictures classified in parallel, with --out.  "
              "[default: the number of processor cores]")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON; with --out the counts and the "
              "files that are left out.")  # fmt: skip
def predict(
    pictures: tuple[Path, ...],
    url: str | None,
    bundle: Path | None,
    out: Path | None,
    workers: int | None,
    as_json: bool,
) -> None:
    """Classify PICTURES (JPEG, PNG, WebP or HEIC; with --out also folders). Never a diagnosis.

    Without --url and --bundle, the pictures go to the local stack if it runs, or else to the newest model on this
    machine.

    Folders are read with their subfolders and links. A file is a picture if its first bytes or its name say so. Hidden
    files and files of other kinds are left out and named.

    Exits 1 if a picture is refused or cannot be read, or if there is none. Files that are left out do not change the
    exit status.

    In file names, each byte of an unprintable character and of a backslash is printed as \\xHH.
    """
    if url and bundle:
        raise click.UsageError("Give --url or --bundle, not both.")
    if out:
        from cli.prediction.table import predict_table

        predict_table(pictures, out, url=url, bundle=bundle, workers=workers, as_json=as_json)
        return
    if folders := [picture for picture in pictures if is_folder(picture)]:
        name = escape_name(str(folders[0]))
        raise click.UsageError(f"{name} is a folder: add --out FILE to write a table of its pictures.")
    from cli.prediction.client import open_client
    from contract.api import Prediction, Problem

    with open_client(url, bundle) as client, progress_bars() as on_progress:
        answers = {}
        for number, picture in enumerate(pictures, start=1):
            answers[escape_name(str(picture))] = predict_file(client, picture)
            if len(pictures) > 1:
                on_progress("classifying", number, len(pictures))
    if as_json:
        print_json([{"picture": name, **answer.model_dump()} for name, answer in answers.items()])
    else:
        for name, answer in answers.items():
            click.echo(describe(name, answer))
        disclaimers = {answer.disclaimer for answer in answers.values() if isinstance(answer, Prediction)}
        click.echo("\n".join(sorted(disclaimers)))
    if any(isinstance(answer, Problem) for answer in answers.values()):
        raise click.exceptions.Exit(1)


def describe(name: str, answer: "Prediction | Problem") -> str:
    """Format the answer for the picture `name`, which is printable, as a few lines of text."""
    from contract.api import Problem

    if isinstance(answer, Problem):
        return f"{name}: {escape_message(answer.detail)}"
    lines = [f"{name}: {answer.outcome.replace('_', ' ')}, malignant {answer.malignant_probability:.1%}"]
    lines += [f"    {item.probability:6.1%}  {item.code:<5}  {item.name}" for item in answer.classes]
    lines += [f"    {finding.message}" for finding in answer.image.quality]
    if answer.unfamiliar:
        lines.append("    The picture is unlike the pictures that the model was trained on.")
    return escape_message("\n".join(lines))
