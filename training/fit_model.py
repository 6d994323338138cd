"""The part of a run that all its instances do together: build the network and fit it."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from training.config import TrainingConfig
from training.evaluation.calibration.logit_adjustment import LogitAdjustment, fit_logit_adjustment
from training.fitting.distributed.cluster import SINGLE_INSTANCE, Cluster
from training.fitting.distributed.devices import join_cluster
from training.fitting.imbalance import log_frequencies
from training.fitting.inputs.features import remove_features
from training.fitting.loop import FitResult, fit, predict_logits
from training.fitting.precision import choose_precision
from training.fitting.resuming.folder import checkpoint_folder, run_folder
from training.fitting.resuming.stop import StopRequest, watch_signals
from training.fitting.run import Run
from training.model import Classifier, build_classifier
from training.progress import SILENT, Reporter
from training.split_dataset import SplitDataset, read_data
from training.weights import LoadedWeights, load_weights


@dataclass(frozen=True, kw_only=True)
class CheckpointPolicy:
    """The folder of an unfinished run, and the files that are kept."""

    folder: Path | None = None  # for this run's checkpoint only; None: one in the cache, named after the run
    fresh: bool = False  # start from the beginning, and delete the checkpoint of an earlier run
    keep_features: bool = False  # leave the frozen features in the cache, for a later run with the same frozen stages


@dataclass(frozen=True, kw_only=True)
class RunContext:
    """The surroundings of a run, which do not change its result: folders, instances and reports."""

    cache: Path  # keeps decoded pictures between runs, and frozen features and the checkpoint during a run
    cluster: Cluster = SINGLE_INSTANCE
    policy: CheckpointPolicy = CheckpointPolicy()
    reporter: Reporter = SILENT  # gets the progress of each step, and lines for people


@dataclass(frozen=True, eq=False)
class FittedModel:
    """A trained classifier, and how it was trained."""

    config: TrainingConfig
    data: SplitDataset
    classifier: Classifier  # in float32, with the best weights
    precision: str  # of the training
    loaded: LoadedWeights
    fit: FitResult
    validation_logits: np.ndarray  # before the correction; float32, shape (N, 7)
    correction: LogitAdjustment  # of the logits, chosen on the validation pictures


def build_network(config: TrainingConfig) -> tuple[Classifier, LoadedWeights]:
    """Build the network in the run's precision, and load the weights that it starts from.

    Raises:
        TrainingError: the weights cannot be used.
    """
    classifier = build_classifier(config.size, choose_precision(config))
    return classifier, load_weights(classifier, config.weights)


def fit_network(classifier: Classifier, loaded: LoadedWeights, data: SplitDataset, run: Run) -> FittedModel:
    """Fit a network in place, convert it to float32, and choose the correction of its logits.

    Raises:
        TrainingError, RunInterruptedError: as `training.fitting.loop.fit`.
    """
    with run.stop.deferred():
        result = fit(classifier, loaded, run)
    trained = classifier.in_float32()
    logits = predict_logits(trained, data.validation)
    lesion_id = data.dataset.rows["lesion_id"].to_numpy()[data.validation.rows]
    correction = fit_logit_adjustment(
        logits, data.validation.class_index, lesion_id, log_frequencies(data.train.class_index)
    )
    return FittedModel(run.config, data, trained, classifier.precision, loaded, result, logits, correction)


@contextmanager
def fit_model(
    config: TrainingConfig,
    data: SplitDataset,
    context: RunContext,
    stop: StopRequest,
) -> Iterator[FittedModel]:
    """Build and fit the network, on all devices of all instances.

    If the block raises, the checkpoint is kept, and the same run resumes after its last epoch. If the block ends
    without an error, the checkpoint is removed, and so are the frozen features unless the policy keeps them.

    Raises:
        TrainingError: the weights or the devices cannot be used, or as `training.fitting.loop.fit`.
        RunInterruptedError: a stop was requested.
    """
    policy, reporter = context.policy, context.reporter
    with ExitStack() as checkpoint_lock:
        with join_cluster(context.cluster) as devices:
            reporter.log(f"runs on {devices}")
            with reporter.step("built the network"):
                classifier, loaded = build_network(config)
            reporter.log(f"weights: {loaded}")

            with reporter.step("trained"):
                identity = _identity(config, data, classifier, loaded)
                folder = policy.folder or checkpoint_folder(identity, context.cache, reporter.log)
                run = Run(
                    config=config,
                    train=data.train,
                    validation=data.validation,
                    scratch=context.cache,
                    devices=devices,
                    reporter=reporter,
                    stop=stop,
                    checkpoints=checkpoint_lock.enter_context(run_folder(folder, fresh=policy.fresh)),
                    identity=identity,
                )
                fitted = fit_network(classifier, loaded, data, run)
        yield fitted
        if not policy.keep_features:
            remove_features(fitted.fit.features)


def run_worker(config: TrainingConfig, pictures: Path, context: RunContext) -> None:
    """Train on an instance that is not the leader of its cluster. It reports nothing, and ends after the last epoch.

    Arguments and errors are those of `training.train.train`. All instances must get the same arguments, and each
    needs a separate disk. A worker only reads `policy.folder`, which must hold the same checkpoint as on the leader.
    """
    with watch_signals() as stop:
        keras.utils.set_random_seed(config.seed)
        data = read_data(config, pictures, context.cache, SILENT.on_progress)
        with fit_model(config, data, replace(context, reporter=SILENT), stop):
            pass


def _identity(
    config: TrainingConfig, data: SplitDataset, classifier: Classifier, loaded: LoadedWeights
) -> dict[str, Any]:
    """Describe everything that decides the result of a run."""
    return {
        **asdict(config),
        "precision": classifier.precision,
        "weights": loaded.sha256 or loaded.source,
        "pictures": data.dataset.sha256,
        "split": data.split.sha256,
    }
