"""Two models over the same pictures: what changes from one to the other, with paired bootstrap intervals over lesions.

Each resample of the lesions is measured with both models, and the interval is that of the differences: what makes a
lesion hard for both cancels out (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 16).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

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
    """One metric of both models, and the change from the champion to the challenger."""

    challenger: float
    champion: float
    change: Metric


@dataclass(frozen=True, eq=False)
class Changes:
    """All that was measured of both; what the pictures do not allow to measure is absent."""

    pictures: int
    lesions: int
    metrics: dict[str, Change]
    per_class: dict[str, dict[str, Change]]  # by code
    slices: dict[str, dict[str, dict[str, Change]]]  # by what -> which


def measure_changes(challenger: HeldOut, champion: HeldOut, manifests: tuple[Manifest, Manifest], seed: int) -> Changes:
    """Measure two models, each by its own thresholds, on the same pictures.

    Args:
        challenger: the one's answers.
        champion: the other's, on the same pictures in the same order.
        manifests: of the challenger and of the champion.
        seed: of the bootstrap.
    """
    rows = challenger.rows
    truth = rows["class_index"].to_numpy()
    weights = resample_lesions(rows["lesion_id"].to_numpy(), RESAMPLES, seed)
    both = [_verdicts(of, manifest) for of, manifest in zip((challenger, champion), manifests, strict=True)]
    one, other = (metrics_of(of, truth) for of in both)
    return Changes(
        pictures=len(rows),
        lesions=int(rows["lesion_id"].nunique()),
        metrics=_changes(one, other, weights, COMPARED),
        per_class={
            code: _changes(
                class_metrics_of(index, both[0], truth), class_metrics_of(index, both[1], truth), weights, OF_A_CLASS
            )
            for index, code in enumerate(CODES)
            if (truth == index).any()
        },
        slices={
            by: {
                str(which): _changes(
                    _only(one, rows[by] == which), _only(other, rows[by] == which), weights, OF_A_SLICE
                )
                for which, pictures in rows[by].value_counts().sort_index().items()
                if pictures >= SMALLEST_SLICE
            }
            for by in SLICED_BY
        },
    )


def _verdicts(held_out: HeldOut, manifest: Manifest) -> Predictions:
    return Predictions(
        probabilities=held_out.probabilities,
        before_temperature=remove_temperature(held_out.probabilities, manifest.temperature),
        over=apply_thresholds(held_out.probabilities, manifest.operating_points),
    )


def _only(measures: Mapping[str, Measure], among: pd.Series) -> dict[str, Measure]:
    return {name: within(measure, among.to_numpy()) for name, measure in measures.items() if name in OF_A_SLICE}


def _changes(
    one: Mapping[str, Measure], other: Mapping[str, Measure], weights: np.ndarray, names: Sequence[str]
) -> dict[str, Change]:
    """Measure what both models have: an operating point that one lacks cannot be compared."""
    found = {}
    once = np.ones((1, weights.shape[1]))
    for name in (name for name in names if name in one and name in other):
        change = with_interval(_difference(one[name], other[name]), weights)
        if change is not None:
            found[name] = Change(float(one[name](once)[0]), float(other[name](once)[0]), change)
    return found


def _difference(one: Measure, other: Measure) -> Measure:
    return lambda weights: one(weights) - other(weights)
