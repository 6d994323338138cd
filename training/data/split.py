"""Which lesions the model learns from, which it is tuned on, and which it is judged by: never one in two parts."""

import hashlib
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from contract.errors import DatasetError
from contract.labels import CODES
from training.data.ham10000 import Dataset

PARTS: Final = ("train", "validation", "test")
FEWEST_LESIONS: Final = len(PARTS)  # of a class: one for each part
HANDFUL: Final = 8  # lesions of a class that a sample keeps, where there are as many


@dataclass(frozen=True, eq=False)
class Split:
    """The positions of a dataset's rows in each part: int64, ascending."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    seed: int

    @property
    def sha256(self) -> str:
        """Identify which rows went where."""
        digest = hashlib.sha256()
        for part in PARTS:
            positions = getattr(self, part).astype("<i8")
            digest.update(f"{part} {len(positions)} ".encode() + positions.tobytes())
        return digest.hexdigest()


def split_by_lesion(dataset: Dataset, seed: int = 42, validation: float = 0.15, test: float = 0.15) -> Split:
    """Deal the lesions of each class into three parts; all pictures of a lesion go where it goes.

    Pictures of one lesion are near-copies of each other: split by picture, a model is examined on what it has seen.
    The shares are of each class's lesions, at least one for each part. The same rows and seed give the same split.

    Raises:
        DatasetError: a class has fewer than 3 lesions, or the same lesion was given two classes.
        ValueError: the shares are not positive, or leave nothing to train on.
    """
    if not (validation > 0 and test > 0 and validation + test < 1):
        raise ValueError(f"The shares {validation} and {test} must be positive and leave something to train on.")
    _check_classes(dataset)
    part_of: dict[str, str] = {}
    for class_index, code in enumerate(CODES):
        lesions = _shuffled_lesions(dataset, code, np.random.default_rng([seed, class_index]))
        judged, tuned = _held_out(len(lesions), test), _held_out(len(lesions), validation)
        while judged + tuned >= len(lesions):  # few lesions and large shares: training keeps one
            judged, tuned = (judged - 1, tuned) if judged > tuned else (judged, tuned - 1)
        for number, lesion in enumerate(lesions):
            part = "test" if number < judged else "validation" if number < judged + tuned else "train"
            if part_of.setdefault(lesion, part) != part:
                raise DatasetError(f"Lesion {lesion} has more than one dx, so it would lie in two parts: correct it.")
    parts = dataset.rows["lesion_id"].map(part_of).to_numpy(object)
    train, tuned_on, judged_by = (np.flatnonzero(parts == part).astype(np.int64) for part in PARTS)
    return Split(train=train, validation=tuned_on, test=judged_by, seed=seed)


@dataclass(frozen=True, eq=False)
class Fold:
    """The positions of a dataset's rows that one round learns from and is judged by: int64, ascending."""

    train: np.ndarray
    test: np.ndarray


def k_folds(dataset: Dataset, k: int = 5, seed: int = 42) -> list[Fold]:
    """Deal the lesions of each class into `k` folds; each fold is once the test set of a round.

    Every picture is tested exactly once, all pictures of a lesion in the same round, and each class is spread over the
    folds as evenly as its lesions allow (stratified, grouped k-fold cross-validation: Kohavi, IJCAI 1995, with lesions
    for samples). Dealing starts at another fold for each class, so that none gets all the odd lesions. The same rows,
    `k` and seed give the same folds.

    Raises:
        DatasetError: a class has fewer lesions than there are folds, or the same lesion was given two classes.
        ValueError: `k` is less than 2.
    """
    if k < 2:
        raise ValueError(f"Cross-validation has at least 2 folds, not {k}.")
    _check_classes(dataset, fewest=k)
    fold_of: dict[str, int] = {}
    dealt = 0
    for class_index, code in enumerate(CODES):
        for lesion in _shuffled_lesions(dataset, code, np.random.default_rng([seed, class_index])):
            if lesion in fold_of:
                raise DatasetError(f"Lesion {lesion} has more than one dx, so it would lie in two folds: correct it.")
            fold_of[lesion] = dealt % k
            dealt += 1
    tested_in = dataset.rows["lesion_id"].map(fold_of).to_numpy(np.int64)
    folds = [Fold(np.flatnonzero(tested_in != fold), np.flatnonzero(tested_in == fold)) for fold in range(k)]
    _check_apart(dataset, folds)
    return folds


def split_fold(dataset: Dataset, fold: Fold, seed: int = 42, validation: float = 0.15) -> Split:
    """Take validation lesions out of what a round of cross-validation learns from, by the rules of `split_by_lesion`.

    The share is of each class's lesions there; training and validation have at least one each.

    Raises:
        DatasetError: the round would learn from fewer than 2 lesions of a class.
    """
    lesion_id = dataset.rows["lesion_id"].to_numpy(object)
    learning = dataset.subset(fold.train)
    tuned_on: set[str] = set()
    for class_index, code in enumerate(CODES):
        lesions = _shuffled_lesions(learning, code, np.random.default_rng([seed, class_index]))
        if len(lesions) < 2:
            raise DatasetError(
                f"A fold would learn from {len(lesions)} lesions of {code}, and needs one to learn from and one to "
                "choose by: take fewer folds, or more pictures of it."
            )
        tuned_on.update(lesions[: min(_held_out(len(lesions), validation), len(lesions) - 1)])
    is_tuned_on = np.isin(lesion_id[fold.train], list(tuned_on))
    return Split(train=fold.train[~is_tuned_on], validation=fold.train[is_tuned_on], test=fold.test, seed=seed)


def count_folds(dataset: Dataset, folds: list[Fold]) -> dict[str, dict[str, dict[str, int]]]:
    """Count what each round is judged by: "fold 1" -> class code, or "total" -> {"lesions", "pictures"}."""
    return {f"fold {number}": _count(dataset.rows.iloc[fold.test]) for number, fold in enumerate(folds, 1)}


def count_parts(dataset: Dataset, split: Split) -> dict[str, dict[str, dict[str, int]]]:
    """Count lesions and pictures: part -> class code, or "total" -> {"lesions", "pictures"}."""
    return {part: _count(dataset.rows.iloc[getattr(split, part)]) for part in PARTS}


def shared_lesions(dataset: Dataset, split: Split) -> list[str]:
    """List the lesions that lie in more than one part; of a sound split there are none."""
    lesions = dataset.rows["lesion_id"].to_numpy(object)
    seen = [set(lesions[getattr(split, part)]) for part in PARTS]
    return sorted((seen[0] & seen[1]) | (seen[0] & seen[2]) | (seen[1] & seen[2]))


def sample_lesions(dataset: Dataset, images: int, seed: int) -> Dataset:
    """Choose whole lesions with about `images` pictures in all, every class in it, for a quick run.

    Each class keeps a handful of lesions so that the sample can still be split, even where that takes more pictures
    than asked for; the rest goes to the classes by how many pictures they have.

    Raises:
        ValueError: `images` is not positive.
    """
    if images < 1:
        raise ValueError(f"A sample has at least one picture, not {images}.")
    if images >= len(dataset.rows):
        return dataset
    pictures_of = dataset.rows["lesion_id"].value_counts()
    kept: set[str] = set()
    waiting: dict[str, list[str]] = {}
    for class_index, code in enumerate(CODES):
        lesions = _shuffled_lesions(dataset, code, np.random.default_rng([seed, class_index]))
        kept.update(lesions[:HANDFUL])
        waiting[code] = lesions[HANDFUL:]
    still_wanted = images - int(sum(pictures_of[lesion] for lesion in kept))
    share = still_wanted / max(1, len(dataset.rows) - images + still_wanted)
    for lesions in waiting.values():
        taken, quota = 0, share * sum(int(pictures_of[lesion]) for lesion in lesions)
        for lesion in lesions:
            if taken + int(pictures_of[lesion]) / 2 > quota:
                break
            taken += int(pictures_of[lesion])
            kept.add(lesion)
    return dataset.subset(np.flatnonzero(dataset.rows["lesion_id"].isin(kept)))


def _count(rows: pd.DataFrame) -> dict[str, dict[str, int]]:
    chosen = [*((code, rows[rows["dx"] == code]) for code in CODES), ("total", rows)]
    return {name: {"lesions": int(of["lesion_id"].nunique()), "pictures": len(of)} for name, of in chosen}


def _check_apart(dataset: Dataset, folds: list[Fold]) -> None:
    """Hold what the folds promise: no lesion on both sides of a round, and every picture judged exactly once.

    Raises:
        RuntimeError: they do not; this would be a fault of this file.
    """
    lesions = dataset.rows["lesion_id"].to_numpy(object)
    for fold in folds:
        if not set(lesions[fold.train]).isdisjoint(lesions[fold.test]):
            raise RuntimeError("A lesion lies on both sides of a fold.")
    judged = np.sort(np.concatenate([fold.test for fold in folds]))
    if not np.array_equal(judged, np.arange(len(lesions))):
        raise RuntimeError("The folds do not judge every picture exactly once.")


def _check_classes(dataset: Dataset, fewest: int = FEWEST_LESIONS) -> None:
    lesions = dataset.rows.groupby("dx")["lesion_id"].nunique()
    few = [f"{code} has {lesions.get(code, 0)}" for code in CODES if lesions.get(code, 0) < fewest]
    if few:
        raise DatasetError(
            f"Each class needs at least {fewest} lesions to be split, and {', '.join(few)}: add pictures of it."
        )


def _shuffled_lesions(dataset: Dataset, code: str, random: np.random.Generator) -> list[str]:
    lesions = sorted(set(dataset.rows.loc[dataset.rows["dx"] == code, "lesion_id"]))
    random.shuffle(lesions)
    return lesions


def _held_out(lesions: int, share: float) -> int:
    return max(1, round(lesions * share))
