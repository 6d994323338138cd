"""The change of each metric from one model to another on the same pictures, with paired bootstrap intervals.

Each bootstrap resample of the lesions measures both models, and the interval is that of the differences. So the
difficulty of a lesion, which is the same for both models, cancels out (Efron and Tibshirani, An Introduction to the
Bootstrap, 1993, chapter 16).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import pandas as pd

from contract.api import Metric
from contract.bundle import ANY_MALIGNANT, Manifest
from contract.labels import CODES
from training.artifact.held_out import HeldOut
from training.evaluation.bootstrap import RESAMPLES, Measure, resample_lesions, with_interval
from training.evaluation.calibration.logit_adjustment import remove_temperature
from training.evaluation.calibration.operating_points import apply_thresholds
from training.evaluation.metrics import Predictions, class_metrics_of, metrics_of, within
from training.evaluation.slices import SLICED_BY, SMALLEST_SLICE

COMPARED: Final = (
    "balanced_accuracy",
    "macro_f1",
    f"{ANY_MALIGNANT}_sensitivity",
    f"{ANY_MALIGNANT}_specificity",
    f"{ANY_MALIGNANT}_auroc",
    "melanoma_sensitivity",
    "melanoma_specificity",
    "ece",
    "nll",
    "brier",
)
OF_A_CLASS: Final = ("recall", "precision")
OF_A_SLICE: Final = ("balanced_accuracy", f"{ANY_MALIGNANT}_sensitivity")


@dataclass(frozen=True)
class Change:
    """One metric of both models, and its change from the champion to the challenger."""

    challenger: float
    champion: float
    change: Metric


@dataclass(frozen=True, eq=False)
class Changes:
    """All metrics of both models. A metric that cannot be measured on these pictures is absent."""

    pictures: int
    lesions: int
    metrics: dict[str, Change]
    per_class: dict[str, dict[str, Change]]  # class code -> metric
    slices: dict[str, dict[str, dict[str, Change]]]  # "age", "sex", ... -> group -> metric


def measure_changes(challenger: HeldOut, champion: HeldOut, manifests: tuple[Manifest, Manifest], seed: int) -> Changes:
    """Measure two models on the same pictures, each with its own thresholds.

    Args:
        challenger: its predictions.
        champion: its predictions for the same pictures, in the same order.
        manifests: of the challenger and of the champion.
        seed: of the bootstrap.
    """
    rows = challenger.rows
    truth = rows["class_index"].to_numpy()
    weights = resample_lesions(rows["lesion_id"].to_numpy(), RESAMPLES, seed)
    predictions = [_predictions(*pair) for pair in zip((challenger, champion), manifests, strict=True)]
    overall = _Pair(*(metrics_of(each, truth) for each in predictions))
    return Changes(
        pictures=len(rows),
        lesions=int(rows["lesion_id"].nunique()),
        metrics=_changes(overall, weights, COMPARED),
        per_class={
            code: _changes(_Pair(*(class_metrics_of(index, each, truth) for each in predictions)), weights, OF_A_CLASS)
            for index, code in enumerate(CODES)
            if (truth == index).any()
        },
        slices={
            column: {
                str(group): _changes(overall.restricted_to(rows[column] == group), weights, OF_A_SLICE)
                for group, pictures in rows[column].value_counts().sort_index().items()
                if pictures >= SMALLEST_SLICE
            }
            for column in SLICED_BY
        },
    )


class _Pair(NamedTuple):
    """The measures of both models, by the name of the metric."""

    challenger: Mapping[str, Measure]
    champion: Mapping[str, Measure]

    def restricted_to(self, group: pd.Series) -> "_Pair":
        """Measure only the pictures of a group: bool, shape (N,)."""
        return _Pair(
            *({name: within(model[name], group.to_numpy()) for name in OF_A_SLICE if name in model} for model in self)
        )


def _predictions(held_out: HeldOut, manifest: Manifest) -> Predictions:
    return Predictions(
        probabilities=held_out.probabilities,
        before_temperature=remove_temperature(held_out.probabilities, manifest.temperature),
        reaches_threshold=apply_thresholds(held_out.probabilities, manifest.operating_points),
    )


def _changes(pair: _Pair, weights: np.ndarray, names: Sequence[str]) -> dict[str, Change]:
    """Measure the metrics that both models have: a model may lack an operating point."""
    found = {}
    all_lesions = np.ones((1, weights.shape[1]))
    for name in names:
        if name not in pair.challenger or name not in pair.champion:
            continue
        challenger, champion = pair.challenger[name], pair.champion[name]
        change = with_interval(_difference(challenger, champion), weights)
        if change is not None:
            found[name] = Change(float(challenger(all_lesions)[0]), float(champion(all_lesions)[0]), change)
    return found


def _difference(challenger: Measure, champion: Measure) -> Measure:
    return lambda weights: challenger(weights) - champion(weights)
