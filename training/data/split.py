"""Split the lesions into training, validation and test set, so that no lesion is in two of them."""

import hashlib
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from contract.errors import DatasetError
from contract.labels import CODES
from training.data.ham10000 import Dataset

PARTS: Final = ("train", "validation", "test")
MIN_LESIONS: Final = len(PARTS)  # of a class: one for each part
MIN_SAMPLE_LESIONS: Final = 8  # of a class that a sample keeps, if the class has as many


@dataclass(frozen=True, eq=False)
class Split:
    """The positions of a dataset's rows in each part: int64, ascending."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    seed: int

    @property
    def sha256(self) -> str:
        """A hash of the positions in each part."""
        digest = hashlib.sha256()
        for part in PARTS:
            positions = getattr(self, part).astype("<i8")
            digest.update(f"{part} {len(positions)} ".encode() + positions.tobytes())
        return digest.hexdigest()


def split_by_lesion(dataset: Dataset, seed: int = 42, validation: float = 0.15, test: float = 0.15) -> Split:
    """Split the lesions of each class into three parts. All pictures of a lesion go to the same part.

    Pictures of one lesion are nearly the same: a split by picture would test a model on lesions that it was trained
    on. The same rows and seed give the same split.

    Args:
        dataset: the pictures.
        seed: of the random split.
        validation: share of each class's lesions, in 0..1; at least one lesion.
        test: share of each class's lesions, with the same rules.

    Raises:
        DatasetError: a class has fewer than 3 lesions, or a lesion has two classes.
        ValueError: a share is not positive, or no lesion is left to train on.
    """
    if not (validation > 0 and test > 0 and validation + test < 1):
        raise ValueError(f"The shares {validation} and {test} must be positive, and their sum must be less than 1.")
    check_lesion_counts(dataset)
    part_of: dict[str, str] = {}
    for class_index, code in enumerate(CODES):
        lesions = shuffle_lesions(dataset, code, np.random.default_rng([seed, class_index]))
        n_test, n_validation = count_share(len(lesions), test), count_share(len(lesions), validation)
        while n_test + n_validation >= len(lesions):  # few lesions and large shares: training keeps at least one
            if n_test > n_validation:
                n_test -= 1
            else:
                n_validation -= 1
        for number, lesion in enumerate(lesions):
            part = "test" if number < n_test else "validation" if number < n_test + n_validation else "train"
            if part_of.setdefault(lesion, part) != part:
                raise DatasetError(f"Lesion {lesion} has more than one dx, so it would be in two parts: correct it.")
    parts = dataset.rows["lesion_id"].map(part_of).to_numpy(object)
    train_rows, validation_rows, test_rows = (np.flatnonzero(parts == part).astype(np.int64) for part in PARTS)
    return Split(train=train_rows, validation=validation_rows, test=test_rows, seed=seed)


def count_parts(dataset: Dataset, split: Split) -> dict[str, dict[str, dict[str, int]]]:
    """Count lesions and pictures: part -> class code or "total" -> {"lesions", "pictures"}."""
    return {part: count_rows(dataset.rows.iloc[getattr(split, part)]) for part in PARTS}


def shared_lesions(dataset: Dataset, split: Split) -> list[str]:
    """List the lesions that are in more than one part; a correct split has none."""
    lesions = dataset.rows["lesion_id"].to_numpy(object)
    train, validation, test = (set(lesions[getattr(split, part)]) for part in PARTS)
    return sorted((train & validation) | (train & test) | (validation & test))


def sample_lesions(dataset: Dataset, images: int, seed: int) -> Dataset:
    """Choose lesions of every class, with about `images` pictures in all, for a quick run.

    Each class keeps at least MIN_SAMPLE_LESIONS lesions if it has them, so that the sample can be split; the sample is
    then larger than `images`. The other pictures are distributed over the classes in proportion to their size.

    Raises:
        ValueError: `images` is not positive.
    """
    if images < 1:
        raise ValueError(f"A sample has at least one picture, not {images}.")
    if images >= len(dataset.rows):
        return dataset
    pictures_of = dataset.rows["lesion_id"].value_counts()
    chosen: set[str] = set()
    remaining: dict[str, list[str]] = {}
    for class_index, code in enumerate(CODES):
        lesions = shuffle_lesions(dataset, code, np.random.default_rng([seed, class_index]))
        chosen.update(lesions[:MIN_SAMPLE_LESIONS])
        remaining[code] = lesions[MIN_SAMPLE_LESIONS:]
    missing = images - int(sum(pictures_of[lesion] for lesion in chosen))
    share = missing / max(1, len(dataset.rows) - images + missing)
    for lesions in remaining.values():
        pictures, quota = 0, share * sum(int(pictures_of[lesion]) for lesion in lesions)
        for lesion in lesions:
            if pictures + int(pictures_of[lesion]) / 2 > quota:
                break
            pictures += int(pictures_of[lesion])
            chosen.add(lesion)
    return dataset.subset(np.flatnonzero(dataset.rows["lesion_id"].isin(chosen)))


def count_rows(rows: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Count lesions and pictures of some rows: class code or "total" -> {"lesions", "pictures"}."""
    groups = [*((code, rows[rows["dx"] == code]) for code in CODES), ("total", rows)]
    return {name: {"lesions": int(group["lesion_id"].nunique()), "pictures": len(group)} for name, group in groups}


def check_lesion_counts(dataset: Dataset, minimum: int = MIN_LESIONS) -> None:
    """Check that every class has enough lesions to be split.

    Raises:
        DatasetError: a class has fewer than `minimum`.
    """
    lesions = dataset.rows.groupby("dx")["lesion_id"].nunique()
    few = [f"{code} has {lesions.get(code, 0)}" for code in CODES if lesions.get(code, 0) < minimum]
    if few:
        raise DatasetError(
            f"Each class needs at least {minimum} lesions to be split, and {', '.join(few)}: add pictures of it."
        )


def shuffle_lesions(dataset: Dataset, code: str, random: np.random.Generator) -> list[str]:
    """List the lesions of a class in random order, whatever the order of the rows."""
    lesions = sorted(set(dataset.rows.loc[dataset.rows["dx"] == code, "lesion_id"]))
    random.shuffle(lesions)
    return lesions


def count_share(lesions: int, share: float) -> int:
    """Count the lesions in a share of them: at least one."""
    return max(1, round(lesions * share))
