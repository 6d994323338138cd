"""`lesion evaluate` and `lesion card`: how good a model bundle is, measured now or when it was made."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.console import print_json, progress_bars
from cli.data import json_option
from cli.local import DEFAULT_BUNDLE, default_bundle
from training.evaluation.robustness.goals import PICTURES

if TYPE_CHECKING:
    from contract.bundle import Robustness
    from training.evaluate import EvaluatedBundle

SHOWN_CHANGES = 5

bundle_option = click.option(
    "--bundle", type=click.Path(file_okay=False, path_type=Path), help=f"Folder of the model  {DEFAULT_BUNDLE}"
)


@click.command()
@bundle_option
@click.option("--data", "folder", envvar="HAM10000_DIR", default="data/ham10000", show_default=True,
              type=click.Path(file_okay=False, path_type=Path), help="Folder of the labelled pictures.")  # fmt: skip
@click.option("--metadata", metavar="CSV", type=click.Path(dir_okay=False, path_type=Path),
              help="Table of the pictures, if it is not HAM10000_metadata.csv in the folder. It must have the columns "
              "image_id and dx; lesion_id, dx_type, age, sex and localization are optional.")  # fmt: skip
@click.option("--unfamiliar", metavar="DIR", type=click.Path(file_okay=False, path_type=Path),
              help="Folder of pictures that show no lesion, to measure how many of them the model calls "
              "unfamiliar.")  # fmt: skip
@click.option("--out", type=click.Path(file_okay=False, path_type=Path),
              help="New folder for the report  [default: artifacts/evaluations/<version>-<folder>]")  # fmt: skip
@click.option("--cache", default=".cache", show_default=True, type=click.Path(file_okay=False, path_type=Path),
              help="Folder for decoded pictures, kept between runs.")  # fmt: skip
@click.option("--robustness", default=PICTURES, show_default=True, metavar="N", type=click.IntRange(min=1),
              help="Change up to N malignant pictures in many ways, such as a dark border or dim light, and count the "
              "answers that become low risk. 250 pictures take about three minutes.")  # fmt: skip
@click.option("--no-robustness", is_flag=True, help="Do not change pictures.")
@json_option
def evaluate(
    bundle: Path | None,
    folder: Path,
    metadata: Path | None,
    unfamiliar: Path | None,
    out: Path | None,
    cache: Path,
    robustness: int,
    no_robustness: bool,
    as_json: bool,
) -> None:
    """Evaluate a model on labelled pictures, and write a report.

    The evaluation uses the same file and thresholds as serving. If the model was trained on these pictures, only the
    held-out lesions are evaluated; otherwise all pictures are.

    The report shows pictures: share it only with people who may see them.
    """
    from training.evaluation.inputs import check_inputs

    bundle = bundle or default_bundle()
    out = out or Path("artifacts/evaluations") / f"{bundle.resolve().name}-{folder.resolve().name}"
    inputs = check_inputs(bundle, folder, out, metadata=metadata, unfamiliar=unfamiliar)

    from training.evaluate import evaluate_bundle  # loads pandas, scikit-learn and Matplotlib

    with progress_bars() as on_progress:
        result = evaluate_bundle(inputs, cache, on_progress, robustness=0 if no_robustness else robustness)
    if as_json:
        _print_json(result)
    else:
        _print_lines(result)


@click.command()
@bundle_option
def card(bundle: Path | None) -> None:
    """Print the model card of a bundle, in Markdown."""
    from contract.bundle import read_bundle
    from training.evaluation.report.card import model_card

    click.echo(model_card(read_bundle(bundle or default_bundle())), nl=False)


def _print_json(result: "EvaluatedBundle") -> None:
    evaluation = result.evaluation
    print_json(
        {
            "report": str(result.page),
            "version": result.manifest.version,
            "pictures": evaluation.pictures,
            "lesions": evaluation.lesions,
            "notes": result.notes,
            "metrics": {name: metric.model_dump() for name, metric in evaluation.metrics.items()},
            "per_class": {code: group.model_dump() for code, group in evaluation.per_class.items()},
            "robustness": evaluation.robustness and evaluation.robustness.model_dump(),
        }
    )


def _print_lines(result: "EvaluatedBundle") -> None:
    evaluation = result.evaluation
    for note in result.notes:
        click.echo(note)
    click.echo(f"{evaluation.pictures} pictures of {evaluation.lesions} lesions, with 95% intervals:")
    for name, metric in evaluation.metrics.items():
        shown = name.replace("_", " ")
        click.echo(f"  {shown:<28} {metric.value:.3f}  ({metric.low:.3f} to {metric.high:.3f})")
    if evaluation.robustness is not None:
        _print_robustness(evaluation.robustness)
    click.echo(f"The report is in {result.page}.")


def _print_robustness(robustness: "Robustness") -> None:
    """Print the changes that miss their goals, the worst first."""
    from training.evaluation.robustness.goals import worst_changes
    from training.evaluation.robustness.names import words_for

    effects, worst = robustness.changes, worst_changes(robustness.changes)
    click.echo(
        f"{robustness.pictures} malignant pictures with the outcome see_a_doctor, each changed in {len(effects)} ways: "
        f"{len(worst)} of these miss their goal."
    )
    for name in worst[:SHOWN_CHANGES]:
        share = effects[name].low_risk
        click.echo(f"  {words_for(name):<44} {share.value:6.1%} low risk  ({share.low:.1%} to {share.high:.1%})")
    if len(worst) > SHOWN_CHANGES:
        click.echo(f"  and {len(worst) - SHOWN_CHANGES} more, in the report")
