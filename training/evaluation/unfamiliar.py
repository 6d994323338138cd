"""How well pictures that show no lesion are told from those that do, by how unlike the training pictures they are."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from contract.api import Metric
from training.evaluation.bootstrap import RESAMPLES, all_or_none, resample_lesions, with_interval
from training.evaluation.weighted_metrics import Share, roc_areas

PAINTED: Final = "painted"  # all painted kinds together
GIVEN: Final = "given"  # the pictures of a folder that was given: they vary, so they stay apart


@dataclass(frozen=True, eq=False)
class Strangers:
    """What a model says of pictures of one kind that show no lesion."""

    unfamiliarity: np.ndarray  # score of each, shape (M,)
    unfamiliar: np.ndarray  # whether it is over the threshold: bool, shape (M,)


@dataclass(frozen=True, kw_only=True)
class Told:
    """How well pictures of one kind were told from lesions."""

    pictures: int
    auroc: Metric  # the chance that one of them scores higher than a lesion
    detection_rate: Metric  # share of them over the threshold


def tell_strangers(
    unfamiliarity: np.ndarray, lesion_id: np.ndarray, strangers: Mapping[str, Strangers], seed: int
) -> dict[str, Told]:
    """Hold the scores of each kind, and of all that were painted as `PAINTED`, against those of the held-out lesions.

    Args:
        unfamiliarity: of the pictures of lesions, shape (N,).
        lesion_id: of each of these.
        strangers: by kind, at least one of them painted, none of them empty.
        seed: of the bootstrap, over lesions and single strangers.
    """
    painted = [of_kind for kind, of_kind in strangers.items() if kind != GIVEN]
    together = Strangers(
        np.concatenate([of.unfamiliarity for of in painted]), np.concatenate([of.unfamiliar for of in painted])
    )
    return {
        kind: _tell(unfamiliarity, lesion_id, of_kind, seed)
        for kind, of_kind in {PAINTED: together, **strangers}.items()
    }


def _tell(unfamiliarity: np.ndarray, lesion_id: np.ndarray, strangers: Strangers, seed: int) -> Told:
    _, lesion = np.unique(lesion_id, return_inverse=True)
    own_number = lesion.max() + 1 + np.arange(len(strangers.unfamiliarity))
    weights = resample_lesions(np.concatenate([lesion, own_number]), RESAMPLES, seed)
    scores = np.concatenate([unfamiliarity, strangers.unfamiliarity])
    is_stranger = np.arange(len(scores)) >= len(lesion)
    over = np.concatenate([np.zeros(len(lesion), bool), strangers.unfamiliar])
    auroc = with_interval(lambda of: roc_areas(scores, is_stranger, of), weights)
    detection_rate = with_interval(Share(over, is_stranger), weights)
    assert auroc is not None, "there are both lesions and strangers"  # noqa: S101 - for the type checker
    assert detection_rate is not None, "there are strangers"  # noqa: S101
    if detection_rate.low == detection_rate.high and detection_rate.value in (0, 1):
        detection_rate = all_or_none(detection_rate.value, len(strangers.unfamiliar))
    return Told(pictures=len(strangers.unfamiliar), auroc=auroc, detection_rate=detection_rate)
