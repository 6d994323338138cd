"""Judge a way of training by every lesion: train a model for each fold, and pool what each says of its own fold.

No model comes out of it, only what to expect of one, and how much that varies.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from training.atomic_folder import atomic_folder, refuse_nonempty
from training.config import TrainingConfig
from training.data.cache import open_cache
from training.data.ham10000 import Dataset, read_dataset
from training.data.split import Split, k_folds, sample_lesions, split_fold
from training.evaluation.calibrate import OPERATING_POINTS, choose_operating_points, correct, decide, softmax
from training.evaluation.measure import Evaluation, Verdicts, evaluate, measure_once
from training.evaluation.report.write import Subject, write_report
from training.fitting.batches import Pictures
from training.fitting.features import remove_features
from training.fitting.imbalance import log_frequencies
from training.fitting.loop import fit, predict_logits
from training.fitting.precision import choose_precision
from training.model import build_classifier
from training.progress import OnProgress, Say
from training.reporting.page import PAGE
from training.weights import load_weights

Spread = dict[str, dict[str, float | None]]  # metric -> "fold 1", ..., "mean", "standard deviation" -> value


@dataclass(frozen=True, eq=False)
class CrossValidated:
    """What came out over all folds, and of each."""

    evaluation: Evaluation  # of all pictures, each judged by the model that has not seen its lesion
    folds: Spread
    page: Path


def cross_validate(
    config: TrainingConfig,
    pictures: Path,
    out: Path,
    *,
    folds: int,
    cache: Path,
    on_progress: OnProgress = lambda *_: None,
    say: Say = lambda _: None,
) -> CrossValidated:
    """Train `folds` models and write one report on all of them.

    Of what a fold learns from, validation lesions are taken out as in any run: they choose the epoch, the prior
    correction, the temperature and the thresholds. Pictures that show no lesion are not asked about, since no model is
    exported.

    Args:
        config: of each run.
        pictures: the folder of HAM10000's table and pictures.
        out: where the report goes; made, unless it is there and empty.
        folds: how many.
        cache: where decoded pictures are kept between runs, and frozen features during one.
        on_progress: called with what is being done, how many are done, of how many.
        say: called with a line for people about each step.

    Raises:
        DatasetError: the pictures cannot be trained on, or have too few lesions of a class for so many folds.
        TrainingError: the weights cannot be used, or the loss stopped being a number.
    """
    refuse_nonempty(out)
    dataset = read_dataset(pictures)
    if config.images is not None:
        dataset = sample_lesions(dataset, config.images, config.seed)
    splits = [split_fold(dataset, fold, config.seed) for fold in k_folds(dataset, folds, config.seed)]
    pixels = open_cache(dataset, config.size, cache, on_progress)
    truth = dataset.rows["class_index"].to_numpy()
    judged: list[Verdicts] = []
    for number, split in enumerate(splits, 1):
        parts = f"{len(split.train)} pictures to learn from, {len(split.validation)} to choose by"
        say(f"fold {number} of {folds}: {parts}, {len(split.test)} held out")
        judged.append(_judge_fold(config, pixels, dataset, split, cache, on_progress, say))
    order = np.argsort(np.concatenate([split.test for split in splits]))
    evaluation = evaluate(_pool(judged, order), dataset.rows, config.seed)
    spread = _spread([measure_once(of, truth[split.test]) for of, split in zip(judged, splits, strict=True)])
    subject = Subject(
        model=f"Cross-validation in {folds} folds",
        data=dataset.name,
        scope=f"Every lesion judged once, by one of {folds} models, which had not seen it. Seed {config.seed}, "
        f"weights {config.weights if not Path(config.weights).suffix else Path(config.weights).name}.",
        operating_points=dict.fromkeys(OPERATING_POINTS),
        temperature=None,
        false_alarm_rate=None,
        folds=spread,
    )
    with atomic_folder(out) as unfinished:
        write_report(unfinished, evaluation, subject)
    return CrossValidated(evaluation, spread, out.absolute() / PAGE)


def _judge_fold(
    config: TrainingConfig,
    pixels: np.ndarray,
    dataset: Dataset,
    split: Split,
    cache: Path,
    on_progress: OnProgress,
    say: Say,
) -> Verdicts:
    """Train as any run does, choose by the validation lesions, and judge the fold's own."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(config.seed)
    truth = dataset.rows["class_index"].to_numpy()
    learn, choose, held_out = (
        Pictures(pixels, rows, truth[rows]) for rows in (split.train, split.validation, split.test)
    )
    classifier = build_classifier(config.size, choose_precision(config))
    loaded = load_weights(classifier, config.weights)
    fitted = fit(classifier, config, loaded, learn, choose, scratch=cache, on_progress=on_progress, say=say)
    remove_features(fitted.features)
    classifier = classifier.in_float32()
    chosen_by = predict_logits(classifier, choose)
    lesion_id = dataset.rows["lesion_id"].to_numpy()[choose.rows]
    correction = correct(chosen_by, choose.class_index, lesion_id, log_frequencies(learn.class_index))
    points = choose_operating_points(correction.probabilities(chosen_by), choose.class_index)
    logits = predict_logits(classifier, held_out)
    probabilities = correction.probabilities(logits)
    return Verdicts(probabilities, softmax(logits + correction.shift), decide(probabilities, points))


def _pool(judged: list[Verdicts], order: np.ndarray) -> Verdicts:
    """Join the folds' verdicts and put them into the order of the rows; each keeps its own fold's thresholds."""
    return Verdicts(
        probabilities=np.concatenate([of.probabilities for of in judged])[order],
        before_temperature=np.concatenate([of.before_temperature for of in judged])[order],
        over={name: np.concatenate([of.over[name] for of in judged])[order] for name in OPERATING_POINTS},
    )


def _spread(measured: list[dict[str, float]]) -> Spread:
    """Lay the folds' values side by side, with their mean and standard deviation; None where it cannot be measured."""
    spread: Spread = {}
    for name in measured[0]:
        values = [of[name] for of in measured]
        known = [value for value in values if math.isfinite(value)]
        spread[name] = {
            **{f"fold {number}": value if math.isfinite(value) else None for number, value in enumerate(values, 1)},
            "mean": float(np.mean(known)) if known else None,
            "standard deviation": float(np.std(known, ddof=1)) if len(known) > 1 else None,
        }
    return spread
