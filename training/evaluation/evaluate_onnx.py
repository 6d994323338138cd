"""Evaluate the ONNX file that serves: on held-out pictures, on pictures without a lesion, and on changed pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from contract.reference import Reference
from training.artifact.inference import ModelOutputs, run_onnx
from training.data.pictures import Pictures
from training.evaluation.calibration.calibrate import Calibration
from training.evaluation.calibration.logit_adjustment import remove_temperature
from training.evaluation.calibration.operating_points import apply_thresholds
from training.evaluation.measure import Evaluation, evaluate_predictions
from training.evaluation.metrics import Predictions
from training.evaluation.out_of_distribution import OutOfDistribution
from training.evaluation.pictures.painted import paint_ood_pictures
from training.evaluation.robustness.measure import TooFewPicturesError, measure_robustness
from training.evaluation.robustness.serving import ServedModel
from training.progress import OnProgress, ignore_progress


@dataclass(frozen=True, eq=False)
class CalibratedModel:
    """A model that can be measured with its own thresholds."""

    file: Path  # ONNX
    calibration: Calibration  # every threshold, and the temperature that the file contains
    reference: Reference  # the training embeddings of this model


def evaluate_onnx(
    model: CalibratedModel,
    pictures: Pictures,
    rows: pd.DataFrame,
    *,
    seed: int,
    on_progress: OnProgress,
    robustness: int = 0,
    given: Mapping[str, ModelOutputs] | None = None,
    absent: Sequence[str] = (),
) -> tuple[Evaluation, Predictions]:
    """Evaluate an ONNX file on pictures that were used neither for training nor for choosing thresholds.

    Args:
        model: with the file to evaluate.
        pictures: labelled pictures.
        rows: of these pictures, with the columns of `training.data.ham10000.Dataset.rows`.
        seed: of the bootstrap, of the painted pictures and of the changes.
        on_progress: called as ("evaluating", done, total), and for the painted and the changed pictures.
        robustness: so many malignant pictures get every change of `training.evaluation.robustness.changes`; 0: none.
        given: outputs of the model on more pictures without a lesion, by kind.
        absent: columns that the table does not have.
    """
    calibration = model.calibration
    outputs = run_onnx(model.file, pictures, "evaluating", on_progress)
    painted = paint_ood_pictures(pictures.pixels.shape[1], seed)
    kinds = {kind: run_on_pixels(model.file, pixels) for kind, pixels in painted.items()} | dict(given or {})
    on_progress("evaluating painted pictures", len(painted), len(painted))

    def score(scored: ModelOutputs) -> OutOfDistribution:
        unfamiliarity = model.reference.unfamiliarity(scored.embeddings, calibration.neighbours)
        return OutOfDistribution(unfamiliarity, unfamiliarity > calibration.unfamiliar_threshold)

    lesions = score(outputs)
    predictions = Predictions(
        probabilities=outputs.probabilities,
        before_temperature=remove_temperature(outputs.probabilities, calibration.temperature),
        reaches_threshold=apply_thresholds(outputs.probabilities, calibration.operating_points),
        unfamiliarity=lesions.unfamiliarity,
        unfamiliar=lesions.unfamiliar,
    )
    out_of_distribution = {kind: score(kind_outputs) for kind, kind_outputs in kinds.items()}
    evaluation = evaluate_predictions(predictions, rows, seed, out_of_distribution=out_of_distribution, absent=absent)
    if robustness:
        served = ServedModel(model.file, pictures.pixels.shape[1], model.reference, calibration)
        try:
            measured = measure_robustness(served, rows, at_most=robustness, seed=seed, on_progress=on_progress)
            evaluation = replace(evaluation, robustness=measured)
        except TooFewPicturesError as error:
            evaluation = replace(evaluation, left_out=(*evaluation.left_out, str(error)))
    return evaluation, predictions


def run_on_pixels(model: Path, pixels: np.ndarray) -> ModelOutputs:
    """Run an ONNX file on pixels without labels: uint8, shape (N, size, size, 3)."""
    pictures = Pictures(pixels, np.arange(len(pixels)), np.zeros(len(pixels), int))
    return run_onnx(model, pictures, "", ignore_progress)
