"""Split the lesions into folds for cross-validation."""

from dataclasses import dataclass

import numpy as np

from contract.errors import DatasetError
from contract.labels import CODES
from training.data.ham10000 import Dataset
from training.data.split import Split, check_lesion_counts, count_rows, count_share, shuffle_lesions


@dataclass(frozen=True, eq=False)
class Fold:
    """The positions of a dataset's rows in one round of cross-validation: int64, ascending."""

    train: np.ndarray
    test: np.ndarray


def k_folds(dataset: Dataset, k: int = 5, seed: int = 42) -> list[Fold]:
    """Split the lesions of each class into `k` folds; each fold is the test set of one round.

    This is stratified, grouped k-fold cross-validation (Kohavi, IJCAI 1995, with lesions as samples): every picture is
    tested exactly once, all pictures of a lesion are in one fold, and each class is spread evenly over the folds. The
    first lesion of a class goes to the fold after the last one of the class before, so that no fold gets all the
    remainders. The same rows, `k` and seed give the same folds.

    Raises:
        DatasetError: a class has fewer than `k` lesions, or a lesion has two classes.
        ValueError: `k` is less than 2.
    """
    if k < 2:
        raise ValueError(f"Cross-validation has at least 2 folds, not {k}.")
    check_lesion_counts(dataset, minimum=k)
    fold_of: dict[str, int] = {}
    for class_index, code in enumerate(CODES):
        for lesion in shuffle_lesions(dataset, code, np.random.default_rng([seed, class_index])):
            if lesion in fold_of:
                raise DatasetError(f"Lesion {lesion} has more than one dx, so it would be in two folds: correct it.")
            fold_of[lesion] = len(fold_of) % k
    tested_in = dataset.rows["lesion_id"].map(fold_of).to_numpy(np.int64)
    folds = [Fold(np.flatnonzero(tested_in != fold), np.flatnonzero(tested_in == fold)) for fold in range(k)]
    _verify(dataset, folds)
    return folds


def split_fold(dataset: Dataset, fold: Fold, seed: int = 42, validation: float = 0.15) -> Split:
    """Move some training lesions of a round to a validation set, by the rules of `split_by_lesion`.

    Args:
        dataset: the pictures that the fold was made from.
        fold: of the round.
        seed: of the random choice.
        validation: share of each class's training lesions, in 0..1; at least one, and at least one stays.

    Raises:
        DatasetError: a class has fewer than 2 training lesions.
    """
    lesion_id = dataset.rows["lesion_id"].to_numpy(object)
    training = dataset.subset(fold.train)
    chosen: set[str] = set()
    for class_index, code in enumerate(CODES):
        lesions = shuffle_lesions(training, code, np.random.default_rng([seed, class_index]))
        if len(lesions) < 2:
            raise DatasetError(
                f"A fold has {len(lesions)} training lesions of {code}, and needs one for training and one for "
                "validation: use fewer folds, or add pictures of it."
            )
        chosen.update(lesions[: min(count_share(len(lesions), validation), len(lesions) - 1)])
    in_validation = np.isin(lesion_id[fold.train], list(chosen))
    return Split(train=fold.train[~in_validation], validation=fold.train[in_validation], test=fold.test, seed=seed)


def count_folds(dataset: Dataset, folds: list[Fold]) -> dict[str, dict[str, dict[str, int]]]:
    """Count the test set of each round: "fold 1" -> class code or "total" -> {"lesions", "pictures"}."""
    return {f"fold {number}": count_rows(dataset.rows.iloc[fold.test]) for number, fold in enumerate(folds, 1)}


def _verify(dataset: Dataset, folds: list[Fold]) -> None:
    """Check that no round trains and tests on the same lesion, and that every picture is tested exactly once.

    Raises:
        RuntimeError: a check failed, which is a bug in this module.
    """
    lesions = dataset.rows["lesion_id"].to_numpy(object)
    for fold in folds:
        if not set(lesions[fold.train]).isdisjoint(lesions[fold.test]):
            raise RuntimeError("A lesion is in both the training and the test set of a fold.")
    tested = np.sort(np.concatenate([fold.test for fold in folds]))
    if not np.array_equal(tested, np.arange(len(lesions))):
        raise RuntimeError("The folds do not test every picture exactly once.")
