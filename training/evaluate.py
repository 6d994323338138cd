"""Evaluate a model bundle on labelled pictures, and write a report."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from contract.bundle import MODEL, REFERENCE, Manifest
from contract.errors import DatasetError
from contract.reference import Reference
from training.artifact.inference import ModelOutputs
from training.atomic_folder import atomic_folder
from training.data.cache import open_cache
from training.data.pictures import Pictures
from training.evaluation.calibration.calibrate import Calibration
from training.evaluation.evaluate_onnx import CalibratedModel, evaluate_onnx, run_on_pixels
from training.evaluation.inputs import EvaluationInputs
from training.evaluation.measure import Evaluation
from training.evaluation.out_of_distribution import GIVEN
from training.evaluation.pictures.evaluation_set import read_evaluation_set
from training.evaluation.pictures.files import decode_pictures
from training.evaluation.report.mistakes import find_mistakes
from training.evaluation.report.write import Subject, write_report
from training.progress import OnProgress, ignore_progress
from training.reporting.page import PAGE


@dataclass(frozen=True, eq=False)
class EvaluatedBundle:
    """The results, and the path of the report."""

    manifest: Manifest
    evaluation: Evaluation
    notes: tuple[str, ...]  # sentences for people: which pictures these are, and which metrics could not be measured
    page: Path


def evaluate_bundle(
    inputs: EvaluationInputs, cache: Path, on_progress: OnProgress = ignore_progress, *, robustness: int
) -> EvaluatedBundle:
    """Evaluate a bundle with its own ONNX file, thresholds and temperature, and write a report.

    If the model was trained on these pictures, only the held-out lesions are evaluated; otherwise all pictures are. The
    report shows pictures: share it only with people who may see them.

    Args:
        inputs: from `training.evaluation.inputs.check_inputs`.
        cache: folder for decoded pictures, kept between runs.
        on_progress: called with the name of the step, the number done, and the total.
        robustness: so many malignant pictures get every change of `training.evaluation.robustness.changes`; 0: none.

    Raises:
        BundleError: the reference embeddings of the bundle cannot be read.
        DatasetError: the pictures cannot be used; nothing was written.
    """
    manifest, model = inputs.manifest, inputs.bundle / MODEL
    reference = Reference.read(inputs.bundle / REFERENCE)
    evaluation_set = read_evaluation_set(inputs.folder, inputs.metadata, manifest)
    dataset, positions = evaluation_set.dataset, evaluation_set.positions
    rows = dataset.rows.iloc[positions].reset_index(drop=True)
    pixels = open_cache(dataset.subset(positions), manifest.input.size, cache, on_progress)
    pictures = Pictures(pixels, np.arange(len(rows)), rows["class_index"].to_numpy())
    given: dict[str, ModelOutputs] = {}
    skipped: tuple[str, ...] = ()
    if inputs.unfamiliar is not None:
        given, skipped = _run_on_folder(model, inputs.unfamiliar, manifest.input.size, on_progress)
    evaluation, predictions = evaluate_onnx(
        CalibratedModel(model, calibration_of(manifest), reference),
        pictures,
        rows,
        seed=manifest.data.split_seed,
        on_progress=on_progress,
        robustness=robustness,
        given=given,
        absent=evaluation_set.absent,
    )
    scope = (evaluation_set.scope, *evaluation_set.notes, *skipped)
    subject = Subject(
        model=f"Model {manifest.version}",
        data=dataset.name,
        scope=" ".join(scope),
        operating_points=manifest.operating_points,
        temperature=manifest.temperature,
        prior_correction=manifest.training.prior_correction,
        false_alarm_rate=manifest.unfamiliar.false_alarm_rate,
        unfamiliar_threshold=manifest.unfamiliar.threshold,
        shipped=manifest.shipped.reason,
    )
    with atomic_folder(inputs.out) as folder:
        write_report(folder, evaluation, subject, find_mistakes(predictions, rows, pixels, pictures.rows))
    return EvaluatedBundle(manifest, evaluation, (*scope, *evaluation.left_out), inputs.out.absolute() / PAGE)


def calibration_of(manifest: Manifest) -> Calibration:
    """Read from the manifest the choices that were made on validation lesions in training."""
    return Calibration(
        temperature=manifest.temperature,
        operating_points=manifest.operating_points,
        neighbours=manifest.unfamiliar.neighbours,
        unfamiliar_threshold=manifest.unfamiliar.threshold,
        false_alarm_rate=manifest.unfamiliar.false_alarm_rate,
    )


def _run_on_folder(
    model: Path, folder: Path, size: int, on_progress: OnProgress
) -> tuple[dict[str, ModelOutputs], tuple[str, ...]]:
    """Run the model on a folder of pictures without a lesion; also return a sentence if files were skipped."""
    outputs: list[ModelOutputs] = []
    done = skipped = 0
    for pixels, undecoded in decode_pictures(folder, size):
        done, skipped = done + len(pixels), skipped + undecoded
        if len(pixels):
            outputs.append(run_on_pixels(model, pixels))
    if not outputs:
        raise DatasetError(f"None of the {skipped} pictures in {folder} can be decoded: name another folder.")
    on_progress("evaluating pictures without a lesion", done, done)
    joined = ModelOutputs(
        np.concatenate([chunk.probabilities for chunk in outputs]),
        np.concatenate([chunk.embeddings for chunk in outputs]),
    )
    note = f"{skipped} of the {done + skipped} pictures in {folder} cannot be decoded and are left out."
    return {GIVEN: joined}, (note,) if skipped else ()
