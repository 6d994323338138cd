"""Every metric of a model on pictures that it never saw, with 95% intervals, over all pictures and by group."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pandas as pd

from contract.api import Metric
from contract.bundle import ANY_MALIGNANT, Group, Robustness
from contract.labels import CODES
from training.evaluation.bootstrap import RESAMPLES, Measure, exact_interval, resample_lesions, with_interval
from training.evaluation.calibration.operating_points import OPERATING_POINTS, has_class, sum_probabilities
from training.evaluation.curves import Curve, precision_recall_curve, reliability_bins, roc_curve
from training.evaluation.metrics import HEADLINE, Predictions, class_metrics_of, metrics_of, within
from training.evaluation.out_of_distribution import PAINTED, Detection, OutOfDistribution, measure_detection
from training.evaluation.slices import SLICED_BY, SMALLEST_SLICE, groups_of
from training.evaluation.weighted_metrics import Proportion, confusion_matrices

SLICE_METRICS: Final = (*HEADLINE, f"{ANY_MALIGNANT}_auroc")
CENTRED: Final = ("ece", "ece_before_temperature")  # means of absolute gaps; see `with_interval`
LAST: Final = ("always_nevus_accuracy", "accuracy")  # so that a reader does not take accuracy for the headline


@dataclass(frozen=True, eq=False)
class Evaluation:
    """All results on held-out pictures."""

    pictures: int
    lesions: int
    metrics: dict[str, Metric]  # without those that cannot be measured, such as melanoma_sensitivity without a melanoma
    per_class: dict[str, Group]  # each class against the rest
    confusion: np.ndarray  # int, shape (7, 7): pictures of the row's class that were predicted as the column's
    roc: dict[str, Curve]  # of each class and of each operating point's classes
    precision_recall: dict[str, Curve]  # of the same classes
    reliability: dict[str, list[dict[str, float]]]  # "before" and "after" the temperature -> each bin with pictures
    slices: dict[str, dict[str, Group]]  # name of SLICED_BY -> group -> metrics
    out_of_distribution: dict[str, Detection] = field(default_factory=dict)  # kind of picture without a lesion -> ...
    unfamiliarity: dict[str, np.ndarray] = field(default_factory=dict)  # "lesions" and each of these kinds -> scores
    robustness: Robustness | None = None  # None: not measured
    left_out: tuple[str, ...] = ()  # sentences: the metrics that could not be measured, and why


def evaluate_predictions(
    predictions: Predictions,
    rows: pd.DataFrame,
    seed: int,
    *,
    out_of_distribution: Mapping[str, OutOfDistribution] | None = None,
    absent: Sequence[str] = (),
) -> Evaluation:
    """Measure everything on held-out pictures.

    Args:
        predictions: for the pictures.
        rows: of the pictures, with the columns of `training.data.ham10000.Dataset.rows`.
        seed: of the bootstrap.
        out_of_distribution: pictures without a lesion, by kind.
        absent: columns that the table does not have; there are no slices by them.
    """
    truth, lesion_id = rows["class_index"].to_numpy(), rows["lesion_id"].to_numpy()
    weights = resample_lesions(lesion_id, RESAMPLES, seed)
    measures = metrics_of(predictions, truth)
    metrics = _intervals(measures, weights, lesion_id)
    per_class = {
        code: Group(
            **_size(rows[truth == index]),
            metrics=_intervals(class_metrics_of(index, predictions, truth), weights, lesion_id),
        )
        for index, code in enumerate(CODES)
        if (truth == index).any()
    }
    left_out = _left_out(metrics, measures, per_class, absent)
    detection: dict[str, Detection] = {}
    unfamiliarity: dict[str, np.ndarray] = {}
    if out_of_distribution and predictions.unfamiliarity is not None:
        kinds = {kind: pictures.unfamiliarity for kind, pictures in out_of_distribution.items()}
        unfamiliarity = {"lesions": predictions.unfamiliarity, **kinds}
        detection = measure_detection(predictions.unfamiliarity, lesion_id, out_of_distribution, seed)
        metrics |= {
            "unfamiliar_auroc": detection[PAINTED].auroc,
            "unfamiliar_detection_rate": detection[PAINTED].detection_rate,
        }
    order = [*(name for name in metrics if name not in LAST), *(name for name in LAST if name in metrics)]
    scored = _scored(predictions.probabilities, truth)
    return Evaluation(
        pictures=len(rows),
        lesions=int(rows["lesion_id"].nunique()),
        metrics={name: metrics[name] for name in order},
        per_class=per_class,
        confusion=_confusion(predictions.probabilities, truth),
        roc={name: roc_curve(*curve) for name, curve in scored.items() if 0 < curve[1].sum() < len(truth)},
        precision_recall={name: precision_recall_curve(*curve) for name, curve in scored.items() if curve[1].any()},
        reliability={
            "before": reliability_bins(predictions.before_temperature, truth),
            "after": reliability_bins(predictions.probabilities, truth),
        },
        slices=_slices(rows, measures, weights, absent),
        out_of_distribution=detection,
        unfamiliarity=unfamiliarity,
        left_out=left_out,
    )


def _scored(probabilities: np.ndarray, truth: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return scores and truth of each operating point's classes and of each class: both of shape (N,)."""
    named = {**OPERATING_POINTS, **{code: (code,) for code in CODES}}
    return {name: (sum_probabilities(probabilities, codes), has_class(truth, codes)) for name, codes in named.items()}


def _confusion(probabilities: np.ndarray, truth: np.ndarray) -> np.ndarray:
    counts = confusion_matrices(probabilities.argmax(axis=1), truth, np.ones((1, len(truth))))[0]
    return np.asarray(counts.astype(int))


def _intervals(measures: Mapping[str, Measure], weights: np.ndarray, lesion_id: np.ndarray) -> dict[str, Metric]:
    metrics = {}
    for name, measure in measures.items():
        metric = with_interval(measure, weights, centred=name in CENTRED)
        if metric is None:
            continue
        if isinstance(measure, Proportion) and metric.low == metric.high and metric.value in (0, 1):
            metric = exact_interval(metric.value, len(np.unique(lesion_id[measure.among])))
        metrics[name] = metric
    return metrics


def _slices(
    rows: pd.DataFrame, measures: Mapping[str, Measure], weights: np.ndarray, absent: Sequence[str]
) -> dict[str, dict[str, Group]]:
    wanted = {name: measures[name] for name in SLICE_METRICS if name in measures}
    return {
        name: _slice(by, wanted, weights, rows) for name, by in groups_of(rows).items() if SLICED_BY[name] not in absent
    }


def _slice(by: pd.Series, measures: Mapping[str, Measure], weights: np.ndarray, rows: pd.DataFrame) -> dict[str, Group]:
    """Measure each group of at least SMALLEST_SLICE pictures separately."""
    slices = {}
    for group in sorted(by.unique()):
        among = (by == group).to_numpy()
        if among.sum() >= SMALLEST_SLICE:
            group_measures = {name: within(measure, among) for name, measure in measures.items()}
            metrics = _intervals(group_measures, weights, rows["lesion_id"].to_numpy())
            slices[str(group)] = Group(**_size(rows[among]), metrics=metrics)
    return slices


def _size(rows: pd.DataFrame) -> dict[str, int]:
    return {"pictures": len(rows), "lesions": int(rows["lesion_id"].nunique())}


def _left_out(
    metrics: Mapping[str, Metric], measures: Mapping[str, Measure], per_class: Mapping[str, Group],
    absent: Sequence[str],
) -> tuple[str, ...]:  # fmt: skip
    """Describe in sentences the metrics and groups that these pictures do not allow."""
    sentences = []
    if missing := [code for code in CODES if code not in per_class]:
        sentences.append(f"There are no pictures of {', '.join(missing)}: averages are over the other classes.")
    if impossible := [name for name in measures if name not in metrics]:
        sentences.append(f"These pictures are not enough to measure {', '.join(impossible)}.")
    if columns := [column for column in SLICED_BY.values() if column in absent]:
        sentences.append(f"The table has no {', '.join(columns)}: there are no groups by that.")
    return tuple(sentences)
