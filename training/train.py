"""From labelled pictures to a model bundle. Read this file first: each step is a short function, in the order of a run.

All instances read the pictures and fit the network. The leader then exports the network, decides whether int8 is
accurate enough to ship, measures the file that ships, and assembles the bundle.
"""

import time
from dataclasses import asdict, dataclass
from pathlib import Path

import keras

from contract.bundle import MODEL, MODEL_FP32, REFERENCE, DataRecord, Manifest, TrainingRecord
from contract.reference import Reference
from training.artifact.bundle import finish_bundle
from training.artifact.export import check_parity, export
from training.artifact.golden import write_golden
from training.artifact.held_out import join_predictions, write_held_out
from training.artifact.inference import ModelOutputs, run_onnx
from training.artifact.quantize import GateResult, apply_int8_gate, quantize
from training.atomic_folder import temporary_folder
from training.commit import find_commit
from training.config import TrainingConfig
from training.data.pictures import Pictures
from training.evaluation.calibration.calibrate import Calibration, calibrate
from training.evaluation.calibration.reference_set import build_reference, sample_reference
from training.evaluation.evaluate_onnx import evaluate_onnx
from training.evaluation.measure import Evaluation
from training.evaluation.report.write import Subject, write_report
from training.fit_model import DEFAULT_POLICY, CheckpointPolicy, FittedModel, fit_model
from training.fitting.distributed.cluster import SINGLE_INSTANCE, Cluster
from training.fitting.resuming.stop import watch_signals
from training.progress import SILENT, Reporter
from training.record import describe_speeds, find_versions, name_device, peak_memory_mb
from training.split_dataset import SplitDataset, read_data


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """The result of a run."""

    folder: Path  # of the bundle
    manifest: Manifest
    gate: GateResult  # which file ships, and why


def train(
    config: TrainingConfig,
    pictures: Path,
    out: Path,
    *,
    cache: Path,
    job: str = "local",
    cluster: Cluster = SINGLE_INSTANCE,
    policy: CheckpointPolicy = DEFAULT_POLICY,
    reporter: Reporter = SILENT,
) -> TrainedModel:
    """Train a classifier and write its bundle to `<out>/<version>`. If anything fails, nothing is left in `out`.

    The same call resumes a run that SIGINT or SIGTERM interrupted, after its last finished epoch.

    Args:
        config: of the run.
        pictures: the folder with HAM10000's table and pictures.
        out: the folder for versions; made if it is missing.
        cache: keeps decoded pictures between runs, and frozen features and the checkpoint during a run.
        job: a name for the run, for the record.
        cluster: the instances of the run. This one is the leader; the others call `training.fit_model.run_worker`.
        policy: where the run is saved while it is unfinished, and what is kept.
        reporter: gets the progress of each step, and lines for people.

    Raises:
        DatasetError: the pictures cannot be trained on.
        TrainingError: the weights or the devices cannot be used, the loss stopped being a number, the checkpoint is of
            another run, or the exported file does not agree with the network.
        RunInterruptedError: a signal ended the run.
    """
    began = time.perf_counter()
    with watch_signals() as stop:
        keras.utils.set_random_seed(config.seed)
        with reporter.step("read the pictures"):
            data = read_data(config, pictures, cache, reporter.on_progress)
        reporter.say(_describe(data))

        with (
            fit_model(config, data, cache, cluster=cluster, policy=policy, stop=stop, reporter=reporter) as fitted,
            temporary_folder(out) as folder,
        ):
            exported = _export_and_gate(fitted, folder, reporter)
            measured = _measure(fitted, exported, folder, reporter)
            trained = _assemble(fitted, exported, measured, folder, out, job, began)
        reporter.say(f"peak memory: {peak_memory_mb():,.0f} MB, including pictures mapped from disk")
    return trained


@dataclass(frozen=True, eq=False)
class _Exported:
    gate: GateResult
    validation: ModelOutputs  # of the file that ships, to the validation pictures


@dataclass(frozen=True, eq=False)
class _Measured:
    calibration: Calibration
    evaluation: Evaluation


def _describe(data: SplitDataset) -> str:
    return (
        f"{len(data.dataset.rows)} pictures of {data.dataset.lesions} lesions: {len(data.train)} for training, "
        f"{len(data.validation)} for validation, {len(data.test)} for the test"
    )


def _export_and_gate(fitted: FittedModel, folder: Path, reporter: Reporter) -> _Exported:
    """Write the float32 and the int8 file, and let int8 ship only if it passes its accuracy gate."""
    data, config, correction = fitted.data, fitted.config, fitted.correction
    with reporter.step("exported"):
        fitted.classifier.shift_logits(correction.shift)
        export(fitted.classifier, correction.temperature, folder / MODEL_FP32)
        fp32 = run_onnx(folder / MODEL_FP32, data.validation, "checking fp32", reporter.on_progress)
        expected = correction.probabilities(fitted.validation_logits)
        difference = check_parity(expected, fp32.probabilities)
    reporter.say(f"Keras and ONNX differ by at most {difference:.1g} in probability")

    with reporter.step("quantized"):
        quantize(folder / MODEL_FP32, folder / MODEL, data.train, config.seed)
        int8 = run_onnx(folder / MODEL, data.validation, "checking int8", reporter.on_progress)
        gate = apply_int8_gate(fp32, int8, data.validation.class_index)
        if gate.ships == "fp32":
            (folder / MODEL).write_bytes((folder / MODEL_FP32).read_bytes())
    reporter.say(gate.reason)
    return _Exported(gate, int8 if gate.ships == "int8" else fp32)


def _measure(fitted: FittedModel, exported: _Exported, folder: Path, reporter: Reporter) -> _Measured:
    """Choose the thresholds on the validation pictures, and evaluate the file that ships on the test pictures."""
    data, config, correction = fitted.data, fitted.config, fitted.correction
    with reporter.step("measured"):
        reference = _write_reference(fitted, folder, reporter)
        calibration = calibrate(correction.temperature, exported.validation, data.validation.class_index, reference)
        rows = data.dataset.rows.iloc[data.split.test].reset_index(drop=True)
        evaluation, predictions = evaluate_onnx(
            folder / MODEL,
            data.test,
            rows,
            calibration,
            reference,
            seed=config.seed,
            on_progress=reporter.on_progress,
        )
        subject = Subject(
            model="This model",
            data=data.dataset.name,
            scope="Measured once, with the file that serves, on lesions that neither training nor any choice saw.",
            operating_points=calibration.operating_points,
            temperature=correction.temperature,
            prior_correction=correction.prior_correction,
            false_alarm_rate=calibration.false_alarm_rate,
            unfamiliar_threshold=calibration.unfamiliar_threshold,
            shipped=exported.gate.reason,
            epochs=fitted.fit.epochs,
        )
        write_report(folder / "report", evaluation, subject)
        write_held_out(folder, join_predictions(rows, predictions.probabilities))
        write_golden(folder, folder / MODEL, config.size, config.seed)
    return _Measured(calibration, evaluation)


def _write_reference(fitted: FittedModel, folder: Path, reporter: Reporter) -> Reference:
    """Write the embeddings of a sample of training pictures, and read them back rounded, as serving does."""
    train = fitted.data.train
    sample = sample_reference(train.class_index, fitted.config.seed)
    pictures = Pictures(train.pixels, train.rows[sample], train.class_index[sample])
    embeddings = run_onnx(folder / MODEL, pictures, "remembering", reporter.on_progress).embeddings
    build_reference(embeddings).write(folder / REFERENCE)
    return Reference.read(folder / REFERENCE)


def _assemble(
    fitted: FittedModel, exported: _Exported, measured: _Measured, folder: Path, out: Path, job: str, began: float
) -> TrainedModel:
    """Write the manifest and the model card, and rename the folder to its version."""
    data, config, result = fitted.data, fitted.config, fitted.fit
    bundle, manifest = finish_bundle(
        folder,
        out,
        size=config.size,
        calibration=measured.calibration,
        evaluation=measured.evaluation,
        gate=exported.gate,
        data=DataRecord(
            name=data.dataset.name,
            sha256=data.dataset.sha256,
            images=len(data.dataset.rows),
            lesions=data.dataset.lesions,
            per_class=data.dataset.per_class,
            split_seed=config.seed,
            split_sha256=data.split.sha256,
        ),
        training=TrainingRecord(
            job=job,
            git_commit=find_commit(),
            config={**asdict(config), "weights": fitted.loaded.source},
            versions=find_versions(),
            backend=keras.backend.backend(),
            device=name_device(),
            seconds=time.perf_counter() - began,
            weights_sha256=fitted.loaded.sha256,
            prior_correction=fitted.correction.prior_correction,
            precision=fitted.precision,
            epochs=len(result.epochs),
            epochs_s=sum(epoch.seconds for epoch in result.epochs),
            times_resumed=result.times_resumed,
            speed=describe_speeds(result.speeds),
            peak_memory_mb=peak_memory_mb(),
        ),
    )
    return TrainedModel(bundle, manifest, exported.gate)
