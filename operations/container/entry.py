"""The entry point of a training container, on SageMaker or on any machine with the same folders.

Run it with `python -m operations.container.entry`.

It exits with 0 when the model is trained; with 1 and a sentence in the failure file when the job failed; with 143 after
SIGTERM. Then the checkpoint is in the checkpoints folder, and the next start with that folder continues from it.
"""

import os
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from contract.errors import AnalyzerError, DatasetError, DeploymentError, TrainingError
from operations.container.environment import JobEnvironment, failure_file, write_failure
from operations.container.settings import JobSettings, parse_hyperparameters
from training.data.layout import IMAGES, METADATA, PUBLISHED_PARTS
from training.quiet import quiet_tensorflow

if TYPE_CHECKING:
    from training.train import TrainedModel

PROGRESS_EVERY_S: Final = 5.0
RUN: Final = "run"  # folder of the checkpoint, in SageMaker's checkpoints folder: the run removes it at its end


def main() -> None:
    """Run the job that this process's environment describes, and exit."""
    signal.signal(signal.SIGTERM, _exit_on_signal)  # Linux ignores it for the first process of a container by default
    try:
        run(os.environ)
    except AnalyzerError as error:
        status = getattr(error, "exit_status", 1)  # 128 plus its number if a signal ended the run
        log(str(error))
        if status == 1:
            write_failure(failure_file(os.environ), str(error))
        sys.exit(status)
    except Exception as error:
        traceback.print_exc()
        write_failure(failure_file(os.environ), f"{type(error).__name__}: {error}. The job's log has the traceback.")
        sys.exit(1)


def run(environ: Mapping[str, str]) -> None:
    """Train, and then publish and register the model if the hyperparameters name a target.

    Raises:
        AnalyzerError: the job cannot continue, or a signal asked it to end.
    """
    job = JobEnvironment.from_env(environ)
    settings = parse_hyperparameters(job.hyperparameters, _weights(job))
    pictures = gather_pictures(job)
    if len(job.cluster.hosts) > 1:
        os.environ.setdefault("KERAS_BACKEND", "jax")  # docs/decisions/devices.md; read when Keras is loaded
    quiet_tensorflow()
    from training.fit_model import CheckpointPolicy, RunContext, run_worker
    from training.progress import Reporter

    context = RunContext(
        cache=job.scratch / "cache",
        cluster=job.cluster,
        policy=CheckpointPolicy(folder=job.checkpoints / RUN),
        reporter=Reporter(ProgressLog().report, log),
    )
    if not job.cluster.is_leader:
        run_worker(settings.config, pictures, context)
        return
    from operations.container.metrics import metric_lines
    from training.train import train

    log(f"job {job.job}: {settings.config}")
    trained = train(settings.config, pictures, job.model, context, job=job.job)
    # The run has removed its checkpoint. The remaining steps take less time than SageMaker gives after SIGTERM.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for line in metric_lines(trained.manifest):
        log(line)
    deliver(trained, settings, job)


def deliver(trained: "TrainedModel", settings: JobSettings, job: JobEnvironment) -> None:
    """Publish a finished bundle and register it, if the settings name a target.

    Raises:
        AnalyzerError: it could not be published or registered.
    """
    if settings.publish_to is None:
        log("not published: there is no hyperparameter publish_to; the bundle is in the job's model.tar.gz")
        return
    from operations.account import Account
    from operations.registry.packages import ModelRegistry
    from operations.registry.publish import publish

    account = Account(job.region)
    uri = publish(trained.folder, settings.publish_to, account)
    log(f"published {uri}")
    if settings.group is None:
        log("not registered: there is no hyperparameter model_package_group")
        return
    try:
        arn = ModelRegistry(account, settings.group).register(trained.manifest, uri, job=job.job)
    except DeploymentError as error:
        raise DeploymentError(f"{error} The model itself is published as {uri}.") from error
    log(f"registered {arn}")


def gather_pictures(job: JobEnvironment) -> Path:
    """Link the channels into one folder with the layout of HAM10000, without copying.

    Returns:
        the folder, for `training.data.ham10000.read_dataset`.

    Raises:
        DatasetError: a channel is missing.
    """
    for name in ("images", "metadata"):
        if name not in job.channels:
            raise DatasetError(f"The job has no channel {name}: give it one with HAM10000's {name}.")
    folder = job.scratch / "pictures"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / METADATA).symlink_to(job.channels["metadata"].absolute() / METADATA)
    images = job.channels["images"].absolute()
    parts = [part for part in PUBLISHED_PARTS if (images / part).is_dir()]
    for part in parts:
        (folder / part).symlink_to(images / part)
    if not parts:
        (folder / IMAGES).symlink_to(images)
    return folder


def _weights(job: JobEnvironment) -> str | None:
    """Find the file in the weights channel, if there is such a channel."""
    if "weights" not in job.channels:
        return None
    files = sorted(job.channels["weights"].glob("*.npz"))
    if len(files) != 1:
        raise TrainingError(f"The channel weights must hold exactly one .npz file, but holds {len(files)}.")
    return str(files[0])


class ProgressLog:
    """Progress as log lines: at most one every few seconds for each kind of work, and one at its end."""

    def __init__(self) -> None:
        self._last: dict[str, float] = {}  # kind of work -> time of its last line

    def report(self, step: str, done: int, total: int) -> None:
        """Write a line, unless the last one is too recent."""
        now = time.monotonic()
        if done == total or now - self._last.get(step, now - PROGRESS_EVERY_S) >= PROGRESS_EVERY_S:
            self._last[step] = now
            log(f"progress: {step} {done}/{total}")


def log(line: str) -> None:
    """Write a line to the job's log, unbuffered."""
    print(line, flush=True)  # noqa: T201


def _exit_on_signal(number: int, _: Any) -> None:
    sys.exit(128 + number)


if __name__ == "__main__":
    main()
