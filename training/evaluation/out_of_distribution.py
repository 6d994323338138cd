"""Out-of-distribution detection: how well the unfamiliarity score separates pictures without a lesion from lesions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from contract.api import Metric
from training.evaluation.bootstrap import RESAMPLES, exact_interval, resample_lesions, with_interval
from training.evaluation.weighted_metrics import Proportion, roc_areas

PAINTED: Final = "painted"  # all painted kinds together
GIVEN: Final = "given"  # pictures of the user's folder: not part of PAINTED, because they differ from run to run


@dataclass(frozen=True, eq=False)
class OutOfDistribution:
    """Pictures of one kind that show no lesion, as the model scores them."""

    unfamiliarity: np.ndarray  # score of each picture, shape (M,)
    unfamiliar: np.ndarray  # whether the score is over the threshold: bool, shape (M,)


@dataclass(frozen=True, kw_only=True)
class Detection:
    """How well pictures of one kind are detected."""

    pictures: int
    auroc: Metric  # probability that one of them scores higher than a lesion
    detection_rate: Metric  # proportion of them over the threshold


def measure_detection(
    unfamiliarity: np.ndarray, lesion_id: np.ndarray, kinds: Mapping[str, OutOfDistribution], seed: int
) -> dict[str, Detection]:
    """Compare the scores of each kind, and of all painted kinds as `PAINTED`, with those of held-out lesions.

    Args:
        unfamiliarity: of the pictures of lesions, shape (N,).
        lesion_id: of each of these.
        kinds: pictures without a lesion, by kind; at least one kind is painted, and none is empty.
        seed: of the bootstrap, which resamples lesions and single pictures without a lesion.
    """
    painted = [pictures for kind, pictures in kinds.items() if kind != GIVEN]
    all_painted = OutOfDistribution(
        np.concatenate([pictures.unfamiliarity for pictures in painted]),
        np.concatenate([pictures.unfamiliar for pictures in painted]),
    )
    return {
        kind: _measure_kind(unfamiliarity, lesion_id, pictures, seed)
        for kind, pictures in {PAINTED: all_painted, **kinds}.items()
    }


def _measure_kind(
    unfamiliarity: np.ndarray, lesion_id: np.ndarray, pictures: OutOfDistribution, seed: int
) -> Detection:
    _, lesion = np.unique(lesion_id, return_inverse=True)
    own_cluster = lesion.max() + 1 + np.arange(len(pictures.unfamiliarity))
    weights = resample_lesions(np.concatenate([lesion, own_cluster]), RESAMPLES, seed)
    scores = np.concatenate([unfamiliarity, pictures.unfamiliarity])
    is_outside = np.arange(len(scores)) >= len(lesion)
    over = np.concatenate([np.zeros(len(lesion), bool), pictures.unfamiliar])
    auroc = with_interval(lambda weights: roc_areas(scores, is_outside, weights), weights)
    detection_rate = with_interval(Proportion(over, is_outside), weights)
    assert auroc is not None, "there are pictures with and without a lesion"  # noqa: S101 - for the type checker
    assert detection_rate is not None, "there are pictures without a lesion"  # noqa: S101
    if detection_rate.low == detection_rate.high and detection_rate.value in (0, 1):
        detection_rate = exact_interval(detection_rate.value, len(pictures.unfamiliar))
    return Detection(pictures=len(pictures.unfamiliar), auroc=auroc, detection_rate=detection_rate)
