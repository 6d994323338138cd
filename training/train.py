"""From labelled pictures to a model bundle: the whole story, each step in a room of its own."""

import os
import platform
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version as version_of_package
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np

from contract.bundle import MODEL, MODEL_FP32, DataRecord, Manifest, TrainingRecord
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
    unfamiliarity,
)
from training.evaluation.measure import evaluate
from training.evaluation.report import write_report
from training.fitting.batches import OnProgress, Pictures
from training.fitting.devices import ALONE, Cluster, Devices, join
from training.fitting.loop import Epoch, Say, fit, predict_logits
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
    job: str = "local",
    cluster: Cluster = ALONE,
    on_progress: OnProgress = lambda *_: None,
    say: Say = lambda _: None,
) -> TrainedModel:
    """Train a classifier and write its bundle to `<out>/<version>`; if anything fails, nothing is left in `out`.

    Args:
        config: of the run.
        pictures: the folder of HAM10000's table and pictures.
        out: where versions lie; made if need be.
        cache: where decoded pictures are kept between runs, and frozen features during one.
        job: a name for the run, for the record.
        cluster: the instances that take part, of which this one leads; the others call `take_part`.
        on_progress: called with what is being done, how many are done, of how many.
        say: called with a line for people about each step.

    Raises:
        DatasetError: the pictures cannot be trained on.
        TrainingError: the weights or the devices cannot be used, the loss stopped being a number, or the export is not
            the model.
    """
    began = time.perf_counter()
    keras.utils.set_random_seed(config.seed)
    step = _timed(say)

    with step("read the pictures"):
        dataset, split, learn, choose, held_out = _read(config, pictures, cache, on_progress)
    say(f"{len(dataset.rows)} pictures of {dataset.lesions} lesions: {len(learn)} to learn from, {len(choose)} to "
        f"choose by, {len(held_out)} held out")  # fmt: skip

    with join(cluster) as devices:
        say(f"devices: {devices}")
        fitted = _fit(config, learn, choose, devices, cache, on_progress, say)
    classifier, loaded, epochs, logits = fitted.classifier, fitted.loaded, fitted.epochs, fitted.logits
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
            answers = ask(folder / MODEL, held_out, "evaluating", on_progress)
            scores = unfamiliarity(answers.embeddings, reference, calibration.neighbours)
            evaluation = evaluate(
                answers.probabilities,
                scores > calibration.unfamiliar_threshold,
                dataset.rows.iloc[split.test].reset_index(drop=True),
                calibration.operating_points,
                config.seed,
            )
            write_report(folder / "report", evaluation, epochs, gate)

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
            ),
            training=TrainingRecord(
                job=job,
                git_commit=_git_commit(),
                config={**asdict(config), "weights": loaded.source},
                versions=_versions(),
                backend=keras.backend.backend(),
                device=_device(),
                seconds=time.perf_counter() - began,
            ),
        )
    return TrainedModel(bundle, manifest, gate)


def take_part(config: TrainingConfig, pictures: Path, *, cache: Path, cluster: Cluster) -> None:
    """Do this instance's share of a run that another one leads: everything up to the trained weights, and quietly.

    Args:
        config: of the run, the same on all instances, as are the pictures.
        pictures: as for `train`.
        cache: as for `train`, on a disk of this instance's own.
        cluster: the instances that take part, of which this one does not lead.

    Raises:
        DatasetError, TrainingError: as for `train`.
    """
    keras.utils.set_random_seed(config.seed)
    _, _, learn, choose, _ = _read(config, pictures, cache, lambda *_: None)
    with join(cluster) as devices:
        _fit(config, learn, choose, devices, cache, lambda *_: None, lambda _: None)


def _read(
    config: TrainingConfig, pictures: Path, cache: Path, on_progress: OnProgress
) -> tuple[Dataset, Split, Pictures, Pictures, Pictures]:
    """Read the pictures, and tell which are to learn from, to choose by, and held out."""
    dataset = read_dataset(pictures)
    if config.images is not None:
        dataset = sample_lesions(dataset, config.images, config.seed)
    split = split_by_lesion(dataset, config.seed)
    pixels = open_cache(dataset, config.size, cache, on_progress)
    class_index = dataset.rows["class_index"].to_numpy()
    learn, choose, held_out = (
        Pictures(pixels, rows, class_index[rows]) for rows in (split.train, split.validation, split.test)
    )
    return dataset, split, learn, choose, held_out


@dataclass(frozen=True, eq=False)
class _Fitted:
    classifier: Classifier
    loaded: LoadedWeights
    epochs: list[Epoch]
    logits: np.ndarray  # of the pictures to choose by, before the temperature


def _fit(
    config: TrainingConfig,
    learn: Pictures,
    choose: Pictures,
    devices: Devices,
    scratch: Path,
    on_progress: OnProgress,
    say: Say,
) -> _Fitted:
    """Do what all instances do together."""
    step = _timed(say)
    with step("built the network"):
        classifier = build_classifier(config.size)
        loaded = load_weights(classifier, config.weights)
    say(f"weights: {loaded}")

    with step("trained"):
        epochs = fit(
            classifier,
            config,
            loaded,
            learn,
            choose,
            devices=devices,
            scratch=scratch,
            on_progress=on_progress,
            say=say,
        )
        logits = predict_logits(classifier, choose)
    return _Fitted(classifier, loaded, epochs, logits)


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
    if keras.backend.backend() == "tensorflow":
        import tensorflow

        versions["tensorflow"] = tensorflow.__version__
    if keras.backend.backend() == "jax":
        versions["jax"] = version_of_package("jax")
    return {"python": platform.python_version(), **versions}


def _device() -> str:
    """Name what trained: the accelerators, or the CPU."""
    accelerators = [name for name in keras.distribution.list_devices() if not name.startswith("cpu")]
    return ", ".join(accelerators) or f"{os.cpu_count()} CPU cores ({platform.machine()})"
