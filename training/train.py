"""From labelled pictures to a model bundle: the whole story, each step in a room of its own."""

import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import keras

from contract.bundle import MODEL, MODEL_FP32, REFERENCE, DataRecord, Manifest, TrainingRecord
from contract.reference import Reference
from training.artifact.bundle import finish_bundle
from training.artifact.export import check_parity, export
from training.artifact.golden import write_golden
from training.artifact.held_out import join_predictions, write_held_out
from training.artifact.inference import run_onnx
from training.artifact.quantize import GateResult, apply_int8_gate, quantize
from training.atomic_folder import temporary_folder
from training.commit import find_commit
from training.config import TrainingConfig
from training.data.pictures import Pictures
from training.evaluation.calibration.calibrate import calibrate
from training.evaluation.calibration.logit_adjustment import fit_logit_adjustment
from training.evaluation.calibration.reference_set import build_reference, sample_reference
from training.evaluation.evaluate_onnx import evaluate_onnx
from training.evaluation.report.write import Subject, write_report
from training.fitting.cluster import ALONE, Cluster
from training.fitting.features import remove_features
from training.fitting.imbalance import log_frequencies
from training.fitting.resuming.stop import watch_signals
from training.learn import Keeping, learn, read_data, timed
from training.progress import OnProgress, Say
from training.record import describe_speeds, find_versions, name_device, peak_memory_mb


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """What a run made."""

    folder: Path  # the bundle
    manifest: Manifest
    gate: GateResult  # which file ships, and why


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
        cluster: the instances that take part, of which this one leads; on the others, call `training.learn.take_part`.
        on_progress: called with what is being done, how many are done, of how many.
        say: called with a line for people about each step.

    Raises:
        DatasetError: the pictures cannot be trained on.
        TrainingError: the weights or the devices cannot be used, the loss stopped being a number, the checkpoint is of
            another run, or the export is not the model.
        RunInterruptedError: the process was told to end.
    """
    with watch_signals() as stop, ExitStack() as held:
        keeping = Keeping(held, stop, checkpoints, fresh, keep_features)
        return _train(config, pictures, out, cache, keeping, job, cluster, on_progress, say)


def _train(
    config: TrainingConfig,
    pictures: Path,
    out: Path,
    cache: Path,
    keeping: Keeping,
    job: str,
    cluster: Cluster,
    on_progress: OnProgress,
    say: Say,
) -> TrainedModel:
    began = time.perf_counter()
    keras.utils.set_random_seed(config.seed)
    step = timed(say)

    with step("read the pictures"):
        data = read_data(config, pictures, cache, on_progress)
    dataset, split, choose, held_out = data.dataset, data.split, data.choose, data.held_out
    say(f"{len(dataset.rows)} pictures of {dataset.lesions} lesions: {len(data.learn)} to learn from, {len(choose)} to "
        f"choose by, {len(held_out)} held out")  # fmt: skip

    learned = learn(config, data, cache, keeping, cluster, on_progress, say)
    classifier, loaded, fitted, logits = learned.classifier, learned.loaded, learned.fitted, learned.logits
    lesion_id = dataset.rows["lesion_id"].to_numpy()[choose.rows]
    correction = fit_logit_adjustment(logits, choose.class_index, lesion_id, log_frequencies(data.learn.class_index))
    classifier.shift_logits(correction.shift)
    temperature = correction.temperature

    with temporary_folder(out) as folder:
        with step("exported"):
            export(classifier, temperature, folder / MODEL_FP32)
            fp32 = run_onnx(folder / MODEL_FP32, choose, "checking fp32", on_progress)
            difference = check_parity(correction.probabilities(logits), fp32.probabilities)
        say(f"Keras and ONNX differ by at most {difference:.1g} in probability")

        with step("quantized"):
            quantize(folder / MODEL_FP32, folder / MODEL, data.learn, config.seed)
            int8 = run_onnx(folder / MODEL, choose, "checking int8", on_progress)
            gate = apply_int8_gate(fp32, int8, choose.class_index)
            if gate.ships == "fp32":
                (folder / MODEL).write_bytes((folder / MODEL_FP32).read_bytes())
            chosen = int8 if gate.ships == "int8" else fp32
        say(gate.reason)

        with step("measured"):
            sample = sample_reference(data.learn.class_index, config.seed)
            reference_pictures = Pictures(data.learn.pixels, data.learn.rows[sample], data.learn.class_index[sample])
            embeddings = run_onnx(folder / MODEL, reference_pictures, "remembering", on_progress).embeddings
            build_reference(embeddings).write(folder / REFERENCE)
            reference = Reference.read(folder / REFERENCE)  # rounded, as serving will have it
            calibration = calibrate(temperature, chosen, choose.class_index, reference)
            rows = dataset.rows.iloc[split.test].reset_index(drop=True)
            evaluation, predictions = evaluate_onnx(
                folder / MODEL,
                held_out,
                rows,
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
                prior_correction=correction.prior_correction,
                false_alarm_rate=calibration.false_alarm_rate,
                unfamiliar_threshold=calibration.unfamiliar_threshold,
                shipped=gate.reason,
                epochs=fitted.epochs,
            )
            write_report(folder / "report", evaluation, subject)
            write_held_out(folder, join_predictions(rows, predictions.probabilities))
            write_golden(folder, folder / MODEL, config.size, config.seed)

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
                git_commit=find_commit(),
                config={**asdict(config), "weights": loaded.source},
                versions=find_versions(),
                backend=keras.backend.backend(),
                device=name_device(),
                seconds=time.perf_counter() - began,
                weights_sha256=loaded.sha256,
                prior_correction=correction.prior_correction,
                precision=learned.precision,
                epochs=len(fitted.epochs),
                epochs_s=sum(epoch.seconds for epoch in fitted.epochs),
                times_resumed=fitted.times_resumed,
                speed=describe_speeds(fitted.speeds),
                peak_memory_mb=peak_memory_mb(),
            ),
        )
    say(f"{peak_memory_mb():,.0f} MB of memory at the most, pictures mapped from disk included")
    if not keeping.keep_features:
        remove_features(fitted.features)
    return TrainedModel(bundle, manifest, gate)
