"""Cross-validation: train a model for each fold, and evaluate all lesions together, each by the model of its fold.

It makes no model to serve. It measures how well a configuration trains, and how much that varies between folds.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from scipy.special import softmax

from training.atomic_folder import atomic_folder, refuse_nonempty
from training.config import TrainingConfig
from training.data.cache import open_cache
from training.data.folds import k_folds, split_fold
from training.evaluation.calibration.operating_points import OPERATING_POINTS, apply_thresholds, choose_operating_points
from training.evaluation.measure import Evaluation, evaluate_predictions
from training.evaluation.metrics import Predictions, measure_once
from training.evaluation.report.write import Subject, write_report
from training.fit_model import build_network, fit_network
from training.fitting.inputs.features import remove_features
from training.fitting.loop import predict_logits
from training.fitting.run import Run
from training.progress import SILENT, Reporter
from training.reporting.page import PAGE
from training.split_dataset import SplitDataset, read_pictures, split_pictures

FoldValues = dict[str, dict[str, float | None]]  # metric -> "fold 1", ..., "mean", "standard deviation" -> value


@dataclass(frozen=True, eq=False)
class CrossValidated:
    """The results over all folds, and of each fold."""

    evaluation: Evaluation  # of all pictures, each predicted by a model that was not trained on its lesion
    folds: FoldValues
    page: Path


def cross_validate(
    config: TrainingConfig,
    pictures: Path,
    out: Path,
    *,
    folds: int,
    cache: Path,
    reporter: Reporter = SILENT,
) -> CrossValidated:
    """Train `folds` models and write one report on all of them.

    As in any run, some of the training lesions of a fold are set apart for validation. They choose the best epoch, the
    prior correction, the temperature and the thresholds. Pictures without a lesion are not evaluated, because no model
    is exported.

    Args:
        config: of each run.
        pictures: the folder with HAM10000's table and pictures.
        out: the folder for the report; made if it is missing, and otherwise it must be empty.
        folds: how many.
        cache: keeps decoded pictures between runs, and frozen features during a run.
        reporter: gets the progress of each step, and lines for people.

    Raises:
        DatasetError: the pictures cannot be trained on, or a class has too few lesions for so many folds.
        TrainingError: the weights cannot be used, or the loss stopped being a number.
    """
    refuse_nonempty(out)
    dataset = read_pictures(config, pictures)
    splits = [split_fold(dataset, fold, config.seed) for fold in k_folds(dataset, folds, config.seed)]
    pixels = open_cache(dataset, config.size, cache, reporter.on_progress)
    fold_predictions: list[Predictions] = []
    for number, split in enumerate(splits, 1):
        data = split_pictures(dataset, split, pixels)
        parts = f"{len(data.train)} pictures for training, {len(data.validation)} for validation"
        reporter.log(f"fold {number} of {folds}: {parts}, {len(data.test)} for the test")
        fold_predictions.append(_evaluate_fold(config, data, cache, reporter))
    order = np.argsort(np.concatenate([split.test for split in splits]))
    evaluation = evaluate_predictions(_pool(fold_predictions, order), dataset.rows, config.seed)
    truth = dataset.rows["class_index"].to_numpy()
    fold_values = _summarize(
        [
            measure_once(predictions, truth[split.test])
            for predictions, split in zip(fold_predictions, splits, strict=True)
        ]
    )
    subject = Subject(
        model=f"Cross-validation in {folds} folds",
        data=dataset.name,
        scope=f"Every lesion classified once, by one of {folds} models that was not trained on it. Seed {config.seed}, "
        f"weights {config.weights if not Path(config.weights).suffix else Path(config.weights).name}.",
        operating_points=dict.fromkeys(OPERATING_POINTS),
        temperature=None,
        false_alarm_rate=None,
        folds=fold_values,
    )
    with atomic_folder(out) as unfinished:
        write_report(unfinished, evaluation, subject)
    return CrossValidated(evaluation, fold_values, out.absolute() / PAGE)


def _evaluate_fold(config: TrainingConfig, data: SplitDataset, cache: Path, reporter: Reporter) -> Predictions:
    """Train as in any run, choose the thresholds on the validation lesions, and predict the fold's own lesions."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(config.seed)
    classifier, loaded = build_network(config)
    run = Run(config=config, train=data.train, validation=data.validation, scratch=cache, reporter=reporter)
    fitted = fit_network(classifier, loaded, data, run)
    remove_features(fitted.fit.features)
    correction = fitted.correction
    points = choose_operating_points(correction.probabilities(fitted.validation_logits), data.validation.class_index)
    logits = predict_logits(fitted.classifier, data.test)
    probabilities = correction.probabilities(logits)
    return Predictions(
        probabilities, softmax(logits + correction.shift, axis=1), apply_thresholds(probabilities, points)
    )


def _pool(folds: list[Predictions], order: np.ndarray) -> Predictions:
    """Join the predictions of all folds in the order of the rows. Each keeps the thresholds of its fold."""
    return Predictions(
        probabilities=np.concatenate([fold.probabilities for fold in folds])[order],
        before_temperature=np.concatenate([fold.before_temperature for fold in folds])[order],
        reaches_threshold={
            name: np.concatenate([fold.reaches_threshold[name] for fold in folds])[order] for name in OPERATING_POINTS
        },
    )


def _summarize(folds: list[dict[str, float]]) -> FoldValues:
    """List each metric by fold, with its mean and standard deviation. An undefined value is None."""
    summary: FoldValues = {}
    for name in folds[0]:
        values = [fold[name] for fold in folds]
        known = [value for value in values if math.isfinite(value)]
        summary[name] = {
            **{f"fold {number}": value if math.isfinite(value) else None for number, value in enumerate(values, 1)},
            "mean": float(np.mean(known)) if known else None,
            "standard deviation": float(np.std(known, ddof=1)) if len(known) > 1 else None,
        }
    return summary
