"""The entry point of a training container, under SageMaker or anywhere with the same folders.

Run as `python -m operations.jobs.entry`.

Exits 0 when the model is made, 1 with a sentence in the failure file, 143 when SIGTERM ended it: the run is then
written down in the checkpoints folder, and the next start with that folder goes on with it.
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
from operations.jobs.environment import JobEnvironment, failure_file, write_failure
from operations.jobs.settings import JobSettings, parse_hyperparameters
from training.data.layout import METADATA, PUBLISHED_PARTS
from training.quiet import quiet_tensorflow

if TYPE_CHECKING:
    from training.train import TrainedModel

PROGRESS_EVERY_S: Final = 5.0
RUN: Final = "run"  # the checkpoint's folder: the run removes it in the end, and SageMaker's own is not the run's


def main() -> None:
    """Run the job that this process's environment describes, and exit."""
    signal.signal(signal.SIGTERM, _end)  # the first process of a container would ignore it
    try:
        run(os.environ)
    except AnalyzerError as error:
        status = getattr(error, "exit_status", 1)  # of a run that a signal ended: 128 and more
        say(str(error))
        if status == 1:
            write_failure(failure_file(os.environ), str(error))
        sys.exit(status)
    except Exception as error:
        traceback.print_exc()
        write_failure(failure_file(os.environ), f"{type(error).__name__}: {error}. The job's log has the traceback.")
        sys.exit(1)


def run(environ: Mapping[str, str]) -> None:
    """Train, publish and register, as far as the job's hyperparameters ask for it.

    Raises:
        AnalyzerError: the job cannot go on, or was told to end; the sentence says why.
    """
    job = JobEnvironment.from_env(environ)
    settings = parse_hyperparameters(job.hyperparameters, _weights(job))
    pictures = gather_pictures(job)
    if len(job.cluster.hosts) > 1:
        os.environ.setdefault("KERAS_BACKEND", "jax")  # docs/decisions/devices.md; read when Keras is loaded
    quiet_tensorflow()
    from training.fit_model import CheckpointPolicy, run_worker

    shared: dict[str, Any] = {
        "cache": job.scratch / "cache",
        "cluster": job.cluster,
        "policy": CheckpointPolicy(folder=job.checkpoints / RUN),
    }
    if not job.cluster.leads:
        run_worker(settings.config, pictures, **shared)
        return
    from operations.jobs.metrics import metric_lines
    from training.progress import Reporter
    from training.train import train

    say(f"job {job.job}: {settings.config}")
    reporter = Reporter(Progress().report, say)
    trained = train(settings.config, pictures, job.model, **shared, job=job.job, reporter=reporter)
    # The run is over and its checkpoint gone. What is left takes less time than is given between SIGTERM and the end.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for line in metric_lines(trained.manifest):
        say(line)
    deliver(trained, settings, job)


def deliver(trained: "TrainedModel", settings: JobSettings, job: JobEnvironment) -> None:
    """Publish a finished bundle and register it, as far as the settings say where.

    Raises:
        AnalyzerError: it could not be published, or not registered; the sentence says what there is.
    """
    if settings.publish_to is None:
        say("not published: there is no hyperparameter publish_to; the bundle is in the job's model.tar.gz")
        return
    from operations.registry.packages import register
    from operations.registry.publish import publish

    uri = publish(trained.folder, settings.publish_to)
    say(f"published {uri}")
    if settings.group is None:
        say("not registered: there is no hyperparameter model_package_group")
        return
    try:
        arn = register(trained.manifest, uri, group=settings.group, job=job.job, region=job.region)
    except DeploymentError as error:
        raise DeploymentError(f"{error} The model itself is published, as {uri}.") from error
    say(f"registered {arn}")


def gather_pictures(job: JobEnvironment) -> Path:
    """Lay the channels side by side as a set of pictures is published, without copying.

    Returns:
        a folder for `training.data.ham10000.read_dataset`.

    Raises:
        DatasetError: a channel is missing.
    """
    for name in ("images", "metadata"):
        if name not in job.channels:
            raise DatasetError(f"The job has no channel {name}: give it one, with HAM10000's {name}.")
    folder = job.scratch / "pictures"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / METADATA).symlink_to(job.channels["metadata"].absolute() / METADATA)
    images = job.channels["images"].absolute()
    parts = [part for part in PUBLISHED_PARTS if (images / part).is_dir()]
    for part in parts:
        (folder / part).symlink_to(images / part)
    if not parts:
        (folder / "images").symlink_to(images)
    return folder


def _weights(job: JobEnvironment) -> str | None:
    """Find the one file of the weights channel, if there is such a channel."""
    if "weights" not in job.channels:
        return None
    files = sorted(job.channels["weights"].glob("*.npz"))
    if len(files) != 1:
        raise TrainingError(f"The channel weights must hold one .npz file, and holds {len(files)}.")
    return str(files[0])


class Progress:
    """Words progress for a log: a line now and then, and one at the end, for each kind of work."""

    def __init__(self) -> None:
        self._said: dict[str, float] = {}

    def report(self, what: str, done: int, total: int) -> None:
        """Say how far it is, unless that was said a moment ago."""
        now = time.monotonic()
        if done == total or now - self._said.get(what, now - PROGRESS_EVERY_S) >= PROGRESS_EVERY_S:
            self._said[what] = now
            say(f"progress: {what} {done}/{total}")


def say(line: str) -> None:
    """Write a line of the job's log at once."""
    print(line, flush=True)  # noqa: T201


def _end(number: int, _: Any) -> None:
    sys.exit(128 + number)


if __name__ == "__main__":
    main()
