"""`lesion train`: from labelled pictures to a model bundle, on this machine."""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.console import print_json, progress_bars
from cli.data import folder_argument, json_option
from training.quiet import quiet_tensorflow

if TYPE_CHECKING:
    from pydantic import ValidationError

    from training.config import TrainingConfig
    from training.train import TrainedModel


@click.command()
@folder_argument
@click.option("--out", default="artifacts/models", show_default=True, type=click.Path(file_okay=False, path_type=Path),
              help="Where the bundle goes, in a folder named after its version.")  # fmt: skip
@click.option("--cache", default=".cache", show_default=True, type=click.Path(file_okay=False, path_type=Path),
              help="Where decoded pictures are kept between runs.")  # fmt: skip
@click.option("--weights", metavar="imagenet|none|FILE", help="What to start from; FILE is an .npz of Keras's weights.")
@click.option("--size", type=int, metavar="PX", help="Side of the square that the model sees.")
@click.option("--images", type=int, metavar="N", help="Take whole lesions with about N pictures, for a quick run.")
@click.option("--head-epochs", type=int, metavar="N", help="Epochs of the head and of what starts fresh.")
@click.option("--fine-tune-epochs", type=int, metavar="N", help="Epochs of everything from --train-from upwards.")
@click.option("--train-from", type=click.Choice(["all", "conv2", "conv3", "conv4", "conv4_block4", "conv5", "head"]),
              help="The lowest stage that fine-tuning changes.")  # fmt: skip
@click.option("--monitor", type=click.Choice(["balanced_accuracy", "balanced_loss"]),
              help="What the best epoch is best in, on validation lesions.")  # fmt: skip
@click.option("--patience", type=int, metavar="N", help="Epochs without improvement before a phase ends.")
@click.option("--average-epochs", type=int, metavar="N", help="Judge and keep the mean of about N epochs' weights.")
@click.option("--batch-size", type=int, metavar="N", help="Pictures in a step.")
@click.option("--head-learning-rate", type=float, metavar="RATE", help="Adam's, in the head epochs.")
@click.option("--fine-tune-learning-rate", type=float, metavar="RATE", help="Adam's, in the fine-tune epochs.")
@click.option("--class-balance", type=click.Choice(["weights", "sampling", "focal", "logit_adjusted", "none"]),
              help="How rare classes come to count.")  # fmt: skip
@click.option("--balance-power", type=float, metavar="SHARE", help="Of weights, sampling and focal: 1 evens out.")
@click.option("--focal-gamma", type=float, metavar="GAMMA", help="How little the focal loss cares for what is sure.")
@click.option("--logit-adjustment", type=float, metavar="TAU", help="Times the log of each class's frequency.")
@click.option("--label-smoothing", type=float, metavar="SHARE", help="Of each label, spread over all classes.")
@click.option("--mixup", type=float, metavar="ALPHA", help="Mix each picture with another; 0.2 is usual, 0 is none.")
@click.option("--augment/--no-augment", default=None, help="Turn, shift, mirror and relight the training pictures.")
@click.option(
    "--frozen-views", type=int, metavar="N", help="Views of a picture where frozen stages run once, up to 8; 0: never."
)
@click.option("--precision", type=click.Choice(["auto", "float32", "mixed_float16", "mixed_bfloat16"]),
              help="That training computes in; the model is float32.")  # fmt: skip
@click.option("--seed", type=int, metavar="N", help="Of the split and of everything random.")
@click.option("--checkpoints", type=click.Path(file_okay=False, path_type=Path),
              help="A folder for this run's checkpoint; by default one in the cache.")  # fmt: skip
@click.option("--fresh", is_flag=True, help="Give up what an interrupted run like this left, and start anew.")
@click.option("--keep-features", is_flag=True, help="Keep what frozen stages gave in the cache, for the next run.")
@json_option
def train(
    folder: Path,
    out: Path,
    cache: Path,
    checkpoints: Path | None,
    fresh: bool,
    keep_features: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Train a classifier on the labelled pictures in FOLDER and write its bundle.

    A run that Ctrl-C or SIGTERM ends is kept: the same command goes on with it. On several instances, which SM_HOSTS
    and SM_CURRENT_HOST name as on SageMaker, start it on each: the first writes the bundle.

    FOLDER is by default the environment variable HAM10000_DIR, or else data/ham10000. What is not given keeps the
    default of training.config.TrainingConfig.
    """
    began = time.perf_counter()
    config = read_config(options)
    quiet_tensorflow()
    from training.fitting.cluster import read_cluster
    from training.fitting.resuming.stop import RunInterruptedError
    from training.learn import take_part
    from training.train import train as run

    cluster = read_cluster(os.environ)
    keeping: dict[str, Any] = {"checkpoints": checkpoints, "fresh": fresh, "keep_features": keep_features}
    try:
        if not cluster.leads:
            take_part(config, folder, cache=cache, cluster=cluster, **keeping)
            return
        with progress_bars() as on_progress:
            trained = run(
                config,
                folder,
                out,
                cache=cache,
                cluster=cluster,
                **keeping,
                on_progress=on_progress,
                say=lambda line: click.echo(line, err=True),
            )
    except RunInterruptedError as error:
        click.echo(f"lesion: {error}", err=True)
        raise click.exceptions.Exit(error.exit_status) from error
    seconds = time.perf_counter() - began
    if as_json:
        print_json(
            {
                "bundle": str(trained.folder),
                "version": trained.manifest.version,
                "ships": trained.gate.ships,
                "reason": trained.gate.reason,
                "metrics": {name: metric.model_dump() for name, metric in trained.manifest.metrics.items()},
                "seconds": round(seconds, 1),
            }
        )
    else:
        _print_result(trained, seconds)


def read_config(options: dict[str, Any]) -> "TrainingConfig":
    """Describe a run by the options that were given; what was not given keeps its default.

    Raises:
        click.UsageError: a value is out of range.
    """
    from pydantic import ValidationError

    from training.config import TrainingConfig

    try:
        return TrainingConfig(**{name: value for name, value in options.items() if value is not None})
    except ValidationError as error:
        raise click.UsageError(_explain(error)) from error


def _explain(error: "ValidationError") -> str:
    """Say what is wrong with the first value that was refused, by the name of its option."""
    first = error.errors()[0]
    option = f"--{str(first['loc'][0]).replace('_', '-')}: " if first["loc"] else ""
    return option + first["msg"].removeprefix("Value error, ") + "."


def _print_result(trained: "TrainedModel", seconds: float) -> None:
    from training.evaluation.metrics import HEADLINE

    click.echo(f"The model is in {trained.folder}, made in {seconds:.0f} s.")
    click.echo("On held-out lesions, with 95% intervals:")
    for name in HEADLINE:
        if (metric := trained.manifest.metrics.get(name)) is not None:
            shown = name.replace("_", " ")
            click.echo(f"  {shown:<26} {metric.value:.3f}  ({metric.low:.3f} to {metric.high:.3f})")
    click.echo(trained.gate.reason)
