"""`lesion evaluate` and `lesion card`: what a model bundle is worth, measured anew or as it was when it was made."""

from pathlib import Path

import click

from cli.console import print_json, progress_bars
from cli.data import json_option
from cli.local import DEFAULT_BUNDLE, default_bundle
from training.quiet import quiet_tensorflow

bundle_option = click.option(
    "--bundle", type=click.Path(file_okay=False, path_type=Path), help=f"The model  {DEFAULT_BUNDLE}"
)


@click.command()
@bundle_option
@click.option("--data", "folder", envvar="HAM10000_DIR", default="data/ham10000", show_default=True,
              type=click.Path(file_okay=False, path_type=Path), help="Folder of the pictures.")  # fmt: skip
@click.option("--metadata", metavar="CSV", type=click.Path(dir_okay=False, path_type=Path),
              help="Their table, if it is not HAM10000_metadata.csv in the folder. It has the columns image_id and dx, "
              "and may have lesion_id, dx_type, age, sex and localization.")  # fmt: skip
@click.option("--unfamiliar", metavar="DIR", type=click.Path(file_okay=False, path_type=Path),
              help="Folder of pictures that show no lesion, to see whether they are told apart.")  # fmt: skip
@click.option("--out", type=click.Path(file_okay=False, path_type=Path),
              help="Where the report goes  [default: artifacts/evaluations/<version>-<folder>]")  # fmt: skip
@click.option("--cache", default=".cache", show_default=True, type=click.Path(file_okay=False, path_type=Path),
              help="Where decoded pictures are kept between runs.")  # fmt: skip
@json_option
def evaluate(
    bundle: Path | None,
    folder: Path,
    metadata: Path | None,
    unfamiliar: Path | None,
    out: Path | None,
    cache: Path,
    as_json: bool,
) -> None:
    """Measure a model on labelled pictures, with the very file and thresholds that serve.

    Of the pictures that it was trained on, only the held-out lesions are measured; of any other set, all of them. The
    report shows the most confident mistakes, so it is for whoever may see the pictures.
    """
    bundle = bundle or default_bundle()
    quiet_tensorflow()
    from training.evaluate import evaluate_bundle

    out = out or Path("artifacts/evaluations") / f"{bundle.resolve().name}-{folder.resolve().name}"
    with progress_bars() as on_progress:
        done = evaluate_bundle(
            bundle, folder, out, metadata=metadata, unfamiliar=unfamiliar, cache=cache, on_progress=on_progress
        )
    evaluation = done.evaluation
    if as_json:
        print_json(
            {
                "report": str(done.page),
                "version": done.manifest.version,
                "pictures": evaluation.pictures,
                "lesions": evaluation.lesions,
                "notes": done.notes,
                "metrics": {name: metric.model_dump() for name, metric in evaluation.metrics.items()},
                "per_class": {code: group.model_dump() for code, group in evaluation.per_class.items()},
            }
        )
        return
    for note in done.notes:
        click.echo(note)
    click.echo(f"{evaluation.pictures} pictures of {evaluation.lesions} lesions, with 95% intervals:")
    for name, metric in evaluation.metrics.items():
        shown = name.replace("_", " ")
        click.echo(f"  {shown:<28} {metric.value:.3f}  ({metric.low:.3f} to {metric.high:.3f})")
    click.echo(f"The report is in {done.page}.")


@click.command()
@bundle_option
def card(bundle: Path | None) -> None:
    """Print a model's card in Markdown, made from its manifest."""
    from contract.bundle import read_bundle
    from training.evaluation.report.card import model_card

    click.echo(model_card(read_bundle(bundle or default_bundle())), nl=False)
