"""`lesion train`: train a model on this machine, and write its bundle."""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.console import print_json, progress_bars
from cli.data import folder_argument, json_option
from training.data.layout import metadata_path
from training.quiet import quiet_tensorflow

if TYPE_CHECKING:
    from pydantic import ValidationError

    from training.config import TrainingConfig
    from training.train import TrainedModel


@click.command()
@folder_argument
@click.option("--out", default="artifacts/models", show_default=True, type=click.Path(file_okay=False, path_type=Path),
              help="Folder for the bundle, which gets a folder named after its version.")  # fmt: skip
@click.option("--cache", default=".cache", show_default=True, type=click.Path(file_okay=False, path_type=Path),
              help="Folder that keeps decoded pictures between runs.")  # fmt: skip
@click.option("--weights", metavar="imagenet|none|FILE", help="Weights to start from; FILE is an .npz file.")
@click.option("--size", type=int, metavar="PX", help="Side of the square input, in pixels.")
@click.option("--images", type=int, metavar="N", help="Use about N pictures, with complete lesions, for a quick run.")
@click.option("--head-epochs", type=int, metavar="N", help="Epochs for the head and stages without loaded weights.")
@click.option("--fine-tune-epochs", type=int, metavar="N", help="Epochs for all stages from --train-from upwards.")
@click.option("--train-from", type=click.Choice(["all", "conv2", "conv3", "conv4", "conv4_block4", "conv5", "head"]),
              help="The lowest stage that fine-tuning trains.")  # fmt: skip
@click.option("--monitor", type=click.Choice(["balanced_accuracy", "balanced_loss"]),
              help="The metric on validation lesions that chooses the best epoch.")  # fmt: skip
@click.option("--patience", type=int, metavar="N", help="Epochs without improvement before a phase ends.")
@click.option("--average-epochs", type=int, metavar="N", help="Validate and keep the mean weights of about N epochs.")
@click.option("--batch-size", type=int, metavar="N", help="Pictures in a step.")
@click.option("--head-learning-rate", type=float, metavar="RATE",
              help="Adam's learning rate in the head epochs.")  # fmt: skip
@click.option("--fine-tune-learning-rate", type=float, metavar="RATE",
              help="Adam's learning rate in the fine-tune epochs.")  # fmt: skip
@click.option("--class-balance", type=click.Choice(["weights", "sampling", "focal", "logit_adjusted", "none"]),
              help="How rare classes are balanced.")  # fmt: skip
@click.option("--balance-power", type=float, metavar="SHARE", help="For weights, sampling, focal: 1 is full balance.")
@click.option("--focal-gamma", type=float, metavar="GAMMA", help="How much the focal loss discounts confident answers.")
@click.option("--logit-adjustment", type=float, metavar="TAU", help="Factor of the log of each class's frequency.")
@click.option("--label-smoothing", type=float, metavar="SHARE", help="Share of a label spread over all classes.")
@click.option("--mixup", type=float, metavar="ALPHA", help="Mix each picture with another; 0.2 is usual, 0: off.")
@click.option("--augment", type=click.Choice(["none", "basic", "full"]),
              help="Change training pictures. basic: place and light; full: also borders, marks, blur, exposure, "
                   "colour, JPEG.")  # fmt: skip
@click.option(
    "--frozen-views",
    type=int,
    metavar="N",
    help="Views of each picture if the frozen stages run once, up to 8, or 64 with --augment full; 0: they never do.",
)
@click.option("--precision", type=click.Choice(["auto", "float32", "mixed_float16", "mixed_bfloat16"]),
              help="The precision of training. The exported model is float32.")  # fmt: skip
@click.option("--seed", type=int, metavar="N", help="Seed of the split and of everything random.")
@click.option("--checkpoints", type=click.Path(file_okay=False, path_type=Path),
              help="Folder for this run's checkpoint. By default one in the cache.")  # fmt: skip
@click.option("--fresh", is_flag=True, help="Delete the checkpoint of an interrupted run, and start over.")
@click.option("--keep-features", is_flag=True, help="Keep the frozen features in the cache, for a later run.")
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

    Ctrl-C or SIGTERM ends a run. The same command resumes it after its last finished epoch, so at most one epoch is
    lost. To train on several instances, set SM_HOSTS and SM_CURRENT_HOST as on SageMaker and start the command on
    each. The first one writes the bundle.

    FOLDER defaults to the environment variable HAM10000_DIR, or else to data/ham10000. An option without a default
    here has the default of training.config.TrainingConfig.
    """
    began = time.perf_counter()
    config = read_config(options)
    metadata_path(folder)
    quiet_tensorflow()
    from training.fit_model import CheckpointPolicy, RunContext, run_worker
    from training.fitting.distributed.cluster import read_cluster
    from training.fitting.resuming.stop import RunInterruptedError
    from training.progress import Reporter
    from training.train import train as run

    cluster = read_cluster(os.environ)
    policy = CheckpointPolicy(folder=checkpoints, fresh=fresh, keep_features=keep_features)
    try:
        if not cluster.is_leader:
            run_worker(config, folder, RunContext(cache=cache, cluster=cluster, policy=policy))
            return
        with progress_bars() as on_progress:
            reporter = Reporter(on_progress, lambda line: click.echo(line, err=True))
            context = RunContext(cache=cache, cluster=cluster, policy=policy, reporter=reporter)
            trained = run(config, folder, out, context)
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
    """Make the configuration of a run from its options. An option that was not given keeps its default.

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
    """Describe the error in the first invalid value, by the name of its option."""
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
