"""From labelled pictures to a model bundle: the whole story, each step in a room of its own."""

import importlib
import os
import platform
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version as version_of_package
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np

from contract.bundle import MODEL, MODEL_FP32, DataRecord, Manifest, PhaseSpeed, TrainingRecord
from training.artifact.answers import ask
from training.artifact.bundle import finish_bundle, unfinished_bundle, write_reference
from training.artifact.export import check_parity, export
from training.artifact.quantize import Gate, judge, quantize
from training.config import TrainingConfig
from training.data.cache import open_cache
from training.data.ham10000 import Dataset, read_dataset
from training.data.split import Split, sample_lesions, split_by_lesion
from training.evaluation.calibrate import (
    calibrate,
    fit_temperature,
    normalize,
    sample_reference,
    softmax,
)
from training.evaluation.examine import examine
from training.evaluation.report.words import ATTRIBUTION
from training.evaluation.report.write import Subject, write_report
from training.fitting.batches import OnProgress, Pictures
from training.fitting.devices import ALONE, Cluster, join
from training.fitting.features import remove_features
from training.fitting.loop import Fitted, fit, predict_logits
from training.fitting.precision import choose_precision
from training.fitting.resuming.folder import folder_of, run_folder
from training.fitting.resuming.stop import StopRequest, watch_signals
from training.fitting.watch import Say
from training.model import Classifier, build_classifier
from training.weights import LoadedWeights, load_weights

RECORDED_VERSIONS: Final = ("keras", "numpy", "onnx", "onnxruntime", "pillow", "tf2onnx")


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """What a run made."""

    folder: Path  # the bundle
    manifest: Manifest
    gate: Gate  # which file ships, and why


def train(
    config: TrainingConfig,
    pictures: Path,
    out: Path,
    *,
    cache: Path,
    checkpoints: Path | None = None,
    fresh: bool = False,
    keep_features: bool = False,
    job: str = "local",
    cluster: Cluster = ALONE,
    on_progress: OnProgress = lambda *_: None,
    say: Say = lambda _: None,
) -> TrainedModel:
    """Train a classifier and write its bundle to `<out>/<version>`; if anything fails, nothing is left in `out`.

    A run that SIGINT or SIGTERM ends is kept, and the same call goes on with it.

    Args:
        config: of the run.
        pictures: the folder of HAM10000's table and pictures.
        out: where versions lie; made if need be.
        cache: where decoded pictures are kept between runs, and frozen features and the checkpoint during one.
        checkpoints: a folder for this run's checkpoint alone, instead of one in the cache.
        fresh: give up what an unfinished run like this left.
        keep_features: leave the frozen features in the cache, for a next run that freezes the same.
        job: a name for the run, for the record.
        cluster: the instances that take part, of which this one leads; on the others, call `take_part`.
        on_progress: called with what is being done, how many are done, of how many.
        say: called with a line for people about each step.

    Raises:
        DatasetError: the pictures cannot be trained on.
        TrainingError: the weights or the devices cannot be used, the loss stopped being a number, the checkpoint is of
            another run, or the export is not the model.
        RunInterruptedError: the process was told to end.
    """
    with watch_signals() as stop, ExitStack() as held:
        keeping = _Keeping(held, stop, checkpoints, fresh, keep_features)
        return _train(config, pictures, out, cache, keeping, job, cluster, on_progress, say)


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
        keeping = _Keeping(held, stop, checkpoints, fresh, keep_features)
        keras.utils.set_random_seed(config.seed)
        data = _read(config, pictures, cache, lambda *_: None)
        learned = _learn(config, data, cache, keeping, cluster, lambda *_: None, lambda _: None)
    if not keep_features:
        remove_features(learned.fitted.features)


@dataclass(frozen=True, eq=False)
class _Keeping:
    """What happens to an unfinished run."""

    held: ExitStack  # left when the run ends, well or not
    stop: StopRequest
    checkpoints: Path | None
    fresh: bool
    keep_features: bool


def _train(
    config: TrainingConfig,
    pictures: Path,
    out: Path,
    cache: Path,
    keeping: _Keeping,
    job: str,
    cluster: Cluster,
    on_progress: OnProgress,
    say: Say,
) -> TrainedModel:
    began = time.perf_counter()
    keras.utils.set_random_seed(config.seed)
    step = _timed(say)

    with step("read the pictures"):
        data = _read(config, pictures, cache, on_progress)
    dataset, split, learn, choose, held_out = data.dataset, data.split, data.learn, data.choose, data.held_out
    say(f"{len(dataset.rows)} pictures of {dataset.lesions} lesions: {len(learn)} to learn from, {len(choose)} to "
        f"choose by, {len(held_out)} held out")  # fmt: skip

    learned = _learn(config, data, cache, keeping, cluster, on_progress, say)
    classifier, loaded, fitted, logits = learned.classifier, learned.loaded, learned.fitted, learned.logits
    temperature = fit_temperature(logits, choose.class_index)

    with unfinished_bundle(out) as folder:
        with step("exported"):
            export(classifier, temperature, folder / MODEL_FP32)
            fp32 = ask(folder / MODEL_FP32, choose, "checking fp32", on_progress)
            difference = check_parity(softmax(logits / temperature), fp32.probabilities)
        say(f"Keras and ONNX differ by at most {difference:.1g} in probability")

        with step("quantized"):
            quantize(folder / MODEL_FP32, folder / MODEL, learn, config.seed)
            int8 = ask(folder / MODEL, choose, "checking int8", on_progress)
            gate = judge(fp32, int8, choose.class_index)
            if gate.ships == "fp32":
                (folder / MODEL).write_bytes((folder / MODEL_FP32).read_bytes())
            chosen = int8 if gate.ships == "int8" else fp32
        say(gate.reason)

        with step("measured"):
            sample = sample_reference(learn.class_index, config.seed)
            reference_pictures = Pictures(learn.pixels, learn.rows[sample], learn.class_index[sample])
            reference = normalize(ask(folder / MODEL, reference_pictures, "remembering", on_progress).embeddings)
            write_reference(folder, reference)
            calibration = calibrate(temperature, chosen, choose.class_index, reference)
            evaluation, _ = examine(
                folder / MODEL,
                held_out,
                dataset.rows.iloc[split.test].reset_index(drop=True),
                calibration,
                reference,
                seed=config.seed,
                on_progress=on_progress,
            )
            subject = Subject(
                model="This model",
                data=dataset.name,
                scope="Measured once, with the file that serves, on lesions that neither training nor any choice saw.",
                operating_points=calibration.operating_points,
                temperature=temperature,
                false_alarm_rate=calibration.false_alarm_rate,
                unfamiliar_threshold=calibration.unfamiliar_threshold,
                shipped=gate.reason,
                attribution=ATTRIBUTION,
                epochs=fitted.epochs,
            )
            write_report(folder / "report", evaluation, subject)

        bundle, manifest = finish_bundle(
            folder,
            out,
            size=config.size,
            calibration=calibration,
            evaluation=evaluation,
            gate=gate,
            data=DataRecord(
                name=dataset.name,
                sha256=dataset.sha256,
                images=len(dataset.rows),
                lesions=dataset.lesions,
                per_class=dataset.per_class,
                split_seed=config.seed,
                split_sha256=split.sha256,
            ),
            training=TrainingRecord(
                job=job,
                git_commit=_git_commit(),
                config={**asdict(config), "weights": loaded.source},
                versions=_versions(),
                backend=keras.backend.backend(),
                device=_device(),
                seconds=time.perf_counter() - began,
                weights_sha256=loaded.sha256,
                precision=learned.precision,
                epochs=len(fitted.epochs),
                times_resumed=fitted.times_resumed,
                speed={
                    phase: PhaseSpeed(
                        images_per_s=speed.images_per_s,
                        step_ms=1000 * speed.step_s,
                        feed_images_per_s=speed.feed_images_per_s,
                        waiting_share=speed.waiting_share,
                    )
                    for phase, speed in fitted.speeds.items()
                },
            ),
        )
    if not keeping.keep_features:
        remove_features(fitted.features)
    return TrainedModel(bundle, manifest, gate)


@dataclass(frozen=True, eq=False)
class _Data:
    dataset: Dataset
    split: Split
    learn: Pictures
    choose: Pictures  # the epoch, the temperature and the thresholds by
    held_out: Pictures


def _read(config: TrainingConfig, pictures: Path, cache: Path, on_progress: OnProgress) -> _Data:
    dataset = read_dataset(pictures)
    if config.images is not None:
        dataset = sample_lesions(dataset, config.images, config.seed)
    split = split_by_lesion(dataset, config.seed)
    pixels = open_cache(dataset, config.size, cache, on_progress)
    class_index = dataset.rows["class_index"].to_numpy()
    learn, choose, held_out = (
        Pictures(pixels, rows, class_index[rows]) for rows in (split.train, split.validation, split.test)
    )
    return _Data(dataset, split, learn, choose, held_out)


@dataclass(frozen=True, eq=False)
class _Learned:
    classifier: Classifier  # in float32, with the best weights
    precision: str  # that it learned in
    loaded: LoadedWeights
    fitted: Fitted
    logits: np.ndarray  # of the pictures to choose by


def _learn(
    config: TrainingConfig,
    data: _Data,
    cache: Path,
    keeping: _Keeping,
    cluster: Cluster,
    on_progress: OnProgress,
    say: Say,
) -> _Learned:
    """Build and fit: what all instances do together, on all their devices."""
    step = _timed(say)
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
    return _Learned(classifier, precision, loaded, fitted, logits)


def _timed(say: Say) -> Callable[[str], Any]:
    @contextmanager
    def step(done: str) -> Iterator[None]:
        """Say how long a step took, once it is done."""
        began = time.perf_counter()
        yield
        say(f"{done} in {time.perf_counter() - began:.1f} s")

    return step


def _git_commit() -> str | None:
    """Name the commit of this source, or nothing where it lies outside a repository or git is not installed."""
    source = Path(__file__).resolve().parents[1]
    try:
        asked = subprocess.run(["git", "rev-parse", "HEAD"], cwd=source, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return asked.stdout.strip()


def _versions() -> dict[str, str]:
    versions = {name: version_of_package(name) for name in RECORDED_VERSIONS}
    backend = importlib.import_module(keras.backend.backend())  # which Keras has loaded already
    versions[backend.__name__] = backend.__version__
    return {"python": platform.python_version(), **versions}


def _device() -> str:
    """Name what trained: the accelerators, or the CPU."""
    accelerators = [name for name in keras.distribution.list_devices() if not name.startswith("cpu")]
    return ", ".join(accelerators) or f"{os.cpu_count()} CPU cores ({platform.machine()})"
