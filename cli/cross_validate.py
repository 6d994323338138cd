"""`lesion cross-validate`: evaluate a training configuration on every lesion."""

from pathlib import Path
from typing import Any

import click

from cli.console import print_json, progress_bars
from cli.train import read_config, train
from training.data.layout import metadata_path
from training.quiet import quiet_tensorflow

_NOT_SHARED = {"out", "checkpoints", "fresh", "keep_features"}  # options of `lesion train` that no fold has


@click.command("cross-validate", params=[param for param in train.params if param.name not in _NOT_SHARED])
@click.option("--folds", default=5, show_default=True, type=click.IntRange(min=2), metavar="K",
              help="Number of folds, each with a model.")  # fmt: skip
@click.option("--out", default="artifacts/cross-validation", show_default=True,
              type=click.Path(file_okay=False, path_type=Path), help="Folder for the report.")  # fmt: skip
def cross_validate(folder: Path, cache: Path, folds: int, out: Path, as_json: bool, **options: Any) -> None:
    """Train K models, evaluate each on the lesions of its own fold, and report on all of them together.

    No model is kept. The report shows how good a configuration is, and how much that varies between folds. It takes K
    times as long as `lesion train`.
    """
    config = read_config(options)
    metadata_path(folder)
    quiet_tensorflow()
    from training.cross_validate import cross_validate as run
    from training.progress import Reporter

    with progress_bars() as on_progress:
        reporter = Reporter(on_progress, lambda line: click.echo(line, err=True))
        done = run(config, folder, out, folds=folds, cache=cache, reporter=reporter)
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
    click.echo(f"All {done.evaluation.pictures} pictures, each predicted once, with 95% intervals, and by fold:")
    for name, metric in metrics.items():
        spread = done.folds[name]
        click.echo(
            f"  {name.replace('_', ' '):<28} {metric.value:.3f}  ({metric.low:.3f} to {metric.high:.3f})   "
            f"mean {_format(spread['mean'])}, standard deviation {_format(spread['standard deviation'])}"
        )
    click.echo(f"The report is in {done.page}.")


def _format(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
