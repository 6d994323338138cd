"""`lesion cross-validate`: how good a way of training is, judged on every lesion."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from cli.console import print_json, progress_bars
from cli.train import read_config, train
from training.config import TrainingConfig
from training.quiet import quiet_tensorflow

# Whatever `lesion train` lets one choose about a run.
_OF_A_RUN = {"folder", "cache", "as_json", *(field.name for field in fields(TrainingConfig))}


@click.command("cross-validate", params=[param for param in train.params if param.name in _OF_A_RUN])
@click.option("--folds", default=5, show_default=True, type=click.IntRange(min=2), metavar="K", help="How many models.")
@click.option("--out", default="artifacts/cross-validation", show_default=True,
              type=click.Path(file_okay=False, path_type=Path), help="Where the report goes.")  # fmt: skip
def cross_validate(folder: Path, cache: Path, folds: int, out: Path, as_json: bool, **options: Any) -> None:
    """Train K models, each judged by the lesions that it has not seen, and report on all of them together.

    No model is kept: this says how good a way of training is, and how much that varies. Takes K times as long as
    `lesion train`, and takes its options.
    """
    config = read_config(options)
    quiet_tensorflow()
    from training.cross_validate import cross_validate as run

    with progress_bars() as on_progress:
        done = run(
            config,
            folder,
            out,
            folds=folds,
            cache=cache,
            on_progress=on_progress,
            say=lambda line: click.echo(line, err=True),
        )
    metrics = done.evaluation.metrics
    if as_json:
        print_json(
            {
                "report": str(done.page),
                "folds": done.folds,
                "metrics": {name: metric.model_dump() for name, metric in metrics.items()},
            }
        )
        return
    click.echo(f"All {done.evaluation.pictures} pictures, each judged once, with 95% intervals; and over the folds:")
    for name, metric in metrics.items():
        spread = done.folds[name]
        click.echo(
            f"  {name.replace('_', ' '):<28} {metric.value:.3f}  ({metric.low:.3f} to {metric.high:.3f})   "
            f"mean {_shown(spread['mean'])}, standard deviation {_shown(spread['standard deviation'])}"
        )
    click.echo(f"The report is in {done.page}.")


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
