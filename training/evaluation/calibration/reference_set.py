"""The reference set: training embeddings that new pictures are compared with, and the distance that is too far."""

from typing import Final

import numpy as np

from contract.labels import CODES
from contract.reference import Reference, scale_to_unit

NEIGHBOURS: Final = 5  # k
REFERENCE_PICTURES: Final = 4096  # at most
REFERENCE_RANK: Final = 64  # docs/decisions/unfamiliar.md compares others; 0.8 MB as float16
FALSE_ALARM_RATE: Final = 0.01  # share of validation pictures that may count as unfamiliar


def sample_reference(class_index: np.ndarray, seed: int, pictures: int = REFERENCE_PICTURES) -> np.ndarray:
    """Sample training pictures for the reference set, as evenly over the classes as the pictures allow.

    Returns:
        positions in `class_index`, ascending; all of them if there are no more than `pictures`.
    """
    random = np.random.default_rng(seed)
    # Shuffle each class. The first pictures of all classes come first, then all second ones, and so on.
    place = np.empty(len(class_index), int)
    for index in range(len(CODES)):
        of_class = np.flatnonzero(class_index == index)
        place[of_class] = random.permutation(len(of_class))
    return np.sort(np.lexsort((class_index, place))[:pictures])


def build_reference(embeddings: np.ndarray, rank: int = REFERENCE_RANK) -> Reference:
    """Scale training embeddings to length 1 and keep their truncated singular value decomposition.

    Args:
        embeddings: of any length, shape (M, 2048).
        rank: number of singular values to keep; fewer if there are fewer embeddings.
    """
    from sklearn.utils.extmath import randomized_svd  # slow to load, and used when a model is made

    units = scale_to_unit(embeddings)
    left, singular_values, axes = randomized_svd(units, min(rank, *units.shape), random_state=0)
    return Reference((left * singular_values).astype(np.float32), axes.astype(np.float32))


def choose_unfamiliar_threshold(scores: np.ndarray) -> float:
    """Choose the threshold so that a share of FALSE_ALARM_RATE of the validation pictures scores higher."""
    return float(np.quantile(scores, 1 - FALSE_ALARM_RATE))
