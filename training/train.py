"""From labelled pictures to a model bundle. Read this file first: each step is a short function, in the order of a run.

All instances read the pictures and fit the network. The leader then exports the network, decides whether int8 is
accurate enough to ship, measures the file that ships, and finishes the bundle.
"""

import time
from dataclasses import dataclass
from pathlib import Path

import keras

from contract.bundle import MODEL, MODEL_FP32, REFERENCE, Manifest
from contract.reference import Reference
from training.artifact.bundle import BundleContents, finish_bundle
from training.artifact.export import check_parity, export
from training.artifact.golden import write_golden
from training.artifact.held_out import join_predictions, write_held_out
from training.artifact.inference import ModelOutputs, run_onnx
from training.artifact.quantize import Int8GateResult, apply_int8_gate, quantize
from training.atomic_folder import temporary_folder
from training.config import TrainingConfig
from training.data.pictures import Pictures
from training.evaluation.calibration.calibrate import Calibration, calibrate
from training.evaluation.calibration.reference_set import build_reference, sample_reference
from training.evaluation.evaluate_onnx import CalibratedModel, evaluate_onnx
from training.evaluation.measure import Evaluation
from training.evaluation.report.write import Subject, write_report
from training.evaluation.robustness.goals import PICTURES_AFTER_TRAINING
from training.fit_model import FittedModel, RunContext, fit_model
from training.fitting.resuming.stop import watch_signals
from training.progress import Reporter
from training.record.training_record import describe_data, describe_training, peak_memory_mb
from training.split_dataset import SplitDataset, read_data


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """The result of a run."""

    folder: Path  # of the bundle
    manifest: Manifest
    gate: Int8GateResult  # which file ships, and why


def train(
    config: TrainingConfig,
    pictures: Path,
    out: Path,
    context: RunContext,
    *,
    job: str = "local",
) -> TrainedModel:
    """Train a classifier and write its bundle to `<out>/<version>`. If anything fails, nothing is left in `out`.

    The same call resumes a run that SIGINT or SIGTERM interrupted, after its last finished epoch.

    Args:
        config: of the run.
        pictures: the folder with HAM10000's table and pictures.
        out: the folder for versions; made if it is missing.
        context: of the run. This instance is the leader; the others call `training.fit_model.run_worker`.
        job: a name for the run, for the record.

    Raises:
        DatasetError: the pictures cannot be trained on.
        TrainingError: the weights or the devices cannot be used, the loss stopped being a number, the checkpoint is of
            another run, or the exported file does not agree with the network.
        RunInterruptedError: a signal ended the run.
    """
    began, reporter = time.perf_counter(), context.reporter
    with watch_signals() as stop:
        keras.utils.set_random_seed(config.seed)
        with reporter.step("read the pictures"):
            data = read_data(config, pictures, context.cache, reporter.on_progress)
        reporter.log(_summarize(data))

        with fit_model(config, data, context, stop) as fitted, temporary_folder(out) as folder:
            exported = _export_and_gate(fitted, folder, reporter)
            measured = _measure(fitted, exported, folder, reporter)
            contents = BundleContents(
                size=config.size,
                calibration=measured.calibration,
                evaluation=measured.evaluation,
                gate=exported.gate,
                data=describe_data(data),
                training=describe_training(fitted, job=job, seconds=time.perf_counter() - began),
            )
            bundle, manifest = finish_bundle(folder, out, contents)
        reporter.log(f"peak memory: {peak_memory_mb():,.0f} MB, including pictures mapped from disk")
    return TrainedModel(bundle, manifest, exported.gate)


@dataclass(frozen=True, eq=False)
class _Exported:
    gate: Int8GateResult
    validation: ModelOutputs  # of the file that ships, to the validation pictures


@dataclass(frozen=True, eq=False)
class _Measured:
    calibration: Calibration
    evaluation: Evaluation


def _summarize(data: SplitDataset) -> str:
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
    reporter.log(f"Keras and ONNX differ by at most {difference:.1g} in probability")

    with reporter.step("quantized"):
        quantize(folder / MODEL_FP32, folder / MODEL, data.train, config.seed)
        int8 = run_onnx(folder / MODEL, data.validation, "checking int8", reporter.on_progress)
        gate = apply_int8_gate(fp32, int8, data.validation.class_index)
        if gate.ships == "fp32":
            (folder / MODEL).write_bytes((folder / MODEL_FP32).read_bytes())
    reporter.log(gate.reason)
    return _Exported(gate, int8 if gate.ships == "int8" else fp32)


def _measure(fitted: FittedModel, exported: _Exported, folder: Path, reporter: Reporter) -> _Measured:
    """Choose the thresholds on the validation pictures, and evaluate the file that ships on the test pictures."""
    data, config, correction = fitted.data, fitted.config, fitted.correction
    with reporter.step("measured"):
        reference = _write_reference(fitted, folder, reporter)
        calibration = calibrate(correction.temperature, exported.validation, data.validation.class_index, reference)
        rows = data.dataset.rows.iloc[data.split.test].reset_index(drop=True)
        evaluation, predictions = evaluate_onnx(
            CalibratedModel(folder / MODEL, calibration, reference),
            data.test,
            rows,
            seed=config.seed,
            on_progress=reporter.on_progress,
            robustness=PICTURES_AFTER_TRAINING,
        )
        subject = Subject(
            model="This model",
            data=data.dataset.name,
            scope="Measured once, with the file that serves, on lesions that were used for no training and no choice.",
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
