"""`lesion predict`: ask about pictures, over HTTP or with a model bundle on this machine."""

from pathlib import Path

import click

from cli.console import print_json, progress_bars
from cli.predict_table import predict_table
from cli.prediction_client import asking
from contract.api import Prediction, Problem


@click.command()
@click.argument("pictures", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--url", help="Ask this API; one on AWS is asked with your AWS credentials.")
@click.option("--bundle", type=click.Path(path_type=Path), help="Ask this model, in the Lambda emulator.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Write a table, .csv or .parquet, a row a picture; run again if interrupted.")  # fmt: skip
@click.option("--workers", type=click.IntRange(1, 64), help="Pictures asked about at once  [default: a core each]")
@click.option("--json", "as_json", is_flag=True, help="For a program to read.")
def predict(
    pictures: tuple[Path, ...],
    url: str | None,
    bundle: Path | None,
    out: Path | None,
    workers: int | None,
    as_json: bool,
) -> None:
    """Classify PICTURES (JPEG, PNG or WebP; with --out, folders too). Never a diagnosis.

    Without --url or --bundle, the local stack is asked if it runs, else the newest model on this machine.
    """
    if url and bundle:
        raise click.UsageError("Give --url or --bundle, not both.")
    if out:
        predict_table(pictures, out, url=url, bundle=bundle, workers=workers, as_json=as_json)
        return
    if folders := [picture for picture in pictures if picture.is_dir()]:
        raise click.UsageError(f"{folders[0]} is a folder: name a table for its answers with --out.")
    with asking(url, bundle) as (ask, _), progress_bars() as on_progress:
        answers = {}
        for number, picture in enumerate(pictures, start=1):
            answers[picture] = ask(picture.read_bytes())
            if len(pictures) > 1:
                on_progress("asking", number, len(pictures))
    if as_json:
        print_json([{"picture": str(picture), **answer.model_dump()} for picture, answer in answers.items()])
    else:
        for picture, answer in answers.items():
            click.echo(describe(picture.name, answer))
        disclaimers = {answer.disclaimer for answer in answers.values() if isinstance(answer, Prediction)}
        click.echo("\n".join(sorted(disclaimers)))
    if any(isinstance(answer, Problem) for answer in answers.values()):
        raise click.exceptions.Exit(1)


def describe(name: str, answer: Prediction | Problem) -> str:
    """Word an answer in a few lines."""
    if isinstance(answer, Problem):
        return f"{name}: {answer.detail}"
    lines = [f"{name}: {answer.outcome.replace('_', ' ')}, malignant {answer.malignant_probability:.1%}"]
    lines += [f"    {item.probability:6.1%}  {item.code:<5}  {item.name}" for item in answer.classes]
    lines += [f"    {finding.message}" for finding in answer.image.quality]
    return "\n".join(lines)
