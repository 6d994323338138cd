"""What all instances of a run do together: read the pictures, build the network, and fit it on all their devices."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from training.config import TrainingConfig
from training.data.cache import open_cache
from training.data.ham10000 import Dataset, read_dataset
from training.data.pictures import Pictures
from training.data.split import Split, sample_lesions, split_by_lesion
from training.fitting.cluster import Cluster
from training.fitting.devices import join
from training.fitting.features import remove_features
from training.fitting.loop import Fitted, fit, predict_logits
from training.fitting.precision import choose_precision
from training.fitting.resuming.folder import folder_of, run_folder
from training.fitting.resuming.stop import StopRequest, watch_signals
from training.model import Classifier, build_classifier
from training.progress import OnProgress, Say
from training.weights import LoadedWeights, load_weights


@dataclass(frozen=True, eq=False)
class Keeping:
    """What happens to an unfinished run."""

    held: ExitStack  # left when the run ends, well or not
    stop: StopRequest
    checkpoints: Path | None
    fresh: bool
    keep_features: bool


@dataclass(frozen=True, eq=False)
class Data:
    """The pictures of a run, dealt."""

    dataset: Dataset
    split: Split
    learn: Pictures
    choose: Pictures  # the epoch, the corrections and the thresholds by
    held_out: Pictures


def read_data(config: TrainingConfig, pictures: Path, cache: Path, on_progress: OnProgress) -> Data:
    """Read, choose, deal and decode the pictures."""
    dataset = read_dataset(pictures)
    if config.images is not None:
        dataset = sample_lesions(dataset, config.images, config.seed)
    split = split_by_lesion(dataset, config.seed)
    pixels = open_cache(dataset, config.size, cache, on_progress)
    class_index = dataset.rows["class_index"].to_numpy()
    learn, choose, held_out = (
        Pictures(pixels, rows, class_index[rows]) for rows in (split.train, split.validation, split.test)
    )
    return Data(dataset, split, learn, choose, held_out)


@dataclass(frozen=True, eq=False)
class Learned:
    """What came of it."""

    classifier: Classifier  # in float32, with the best weights
    precision: str  # that it learned in
    loaded: LoadedWeights
    fitted: Fitted
    logits: np.ndarray  # of the pictures to choose by


def learn(
    config: TrainingConfig,
    data: Data,
    cache: Path,
    keeping: Keeping,
    cluster: Cluster,
    on_progress: OnProgress,
    say: Say,
) -> Learned:
    """Build and fit: what all instances do together, on all their devices."""
    step = timed(say)
    with join(cluster) as devices:
        say(f"runs on {devices}")
        with step("built the network"):
            classifier = build_classifier(config.size, choose_precision(config))
            loaded = load_weights(classifier, config.weights)
        say(f"weights: {loaded}")

        with step("trained"):
            run = {
                **asdict(config),
                "precision": classifier.precision,
                "weights": loaded.sha256 or loaded.source,
                "pictures": data.dataset.sha256,
                "split": data.split.sha256,
            }
            kept = keeping.held.enter_context(
                run_folder(keeping.checkpoints or folder_of(run, cache, say), fresh=keeping.fresh)
            )
            with keeping.stop.deferred():
                fitted = fit(
                    classifier,
                    config,
                    loaded,
                    data.learn,
                    data.choose,
                    devices=devices,
                    scratch=cache,
                    checkpoints=kept,
                    run=run,
                    stop=keeping.stop,
                    on_progress=on_progress,
                    say=say,
                )
            precision, classifier = classifier.precision, classifier.in_float32()
            logits = predict_logits(classifier, data.choose)
    return Learned(classifier, precision, loaded, fitted, logits)


def take_part(
    config: TrainingConfig,
    pictures: Path,
    *,
    cache: Path,
    cluster: Cluster,
    checkpoints: Path | None = None,
    fresh: bool = False,
    keep_features: bool = False,
) -> None:
    """Do this instance's share of a run that another one leads: quietly, and up to the trained weights.

    Arguments and errors are those of `train`, and all instances must be given the same, each on a disk of its own;
    `checkpoints` is only read, and must hold here what it holds where the run is led.
    """
    with watch_signals() as stop, ExitStack() as held:
        keeping = Keeping(held, stop, checkpoints, fresh, keep_features)
        keras.utils.set_random_seed(config.seed)
        data = read_data(config, pictures, cache, lambda *_: None)
        learned = learn(config, data, cache, keeping, cluster, lambda *_: None, lambda _: None)
    if not keep_features:
        remove_features(learned.fitted.features)


def timed(say: Say) -> Callable[[str], Any]:
    """Make the context in which a step runs, and which says how long it took."""

    @contextmanager
    def step(done: str) -> Iterator[None]:
        """Say how long a step took, once it is done."""
        began = time.perf_counter()
        yield
        say(f"{done} in {time.perf_counter() - began:.1f} s")

    return step
