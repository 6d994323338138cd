"""The pictures of a run: read, sampled, split by lesion and decoded."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.config import TrainingConfig
from training.data.cache import open_cache
from training.data.ham10000 import Dataset, read_dataset
from training.data.pictures import Pictures
from training.data.split import Split, sample_lesions, split_by_lesion
from training.progress import OnProgress


@dataclass(frozen=True, eq=False)
class SplitDataset:
    """The pictures of a run, decoded and split by lesion."""

    dataset: Dataset
    split: Split
    train: Pictures
    validation: Pictures  # the best epoch, the corrections and the thresholds are chosen on these
    test: Pictures


def read_pictures(config: TrainingConfig, folder: Path) -> Dataset:
    """Read the table of HAM10000, and sample lesions if the run uses only some of the pictures.

    Raises:
        DatasetError: the folder does not hold such pictures.
    """
    dataset = read_dataset(folder)
    return dataset if config.images is None else sample_lesions(dataset, config.images, config.seed)


def split_pictures(dataset: Dataset, split: Split, pixels: np.ndarray) -> SplitDataset:
    """Apply a split to decoded pictures."""
    class_index = dataset.rows["class_index"].to_numpy()
    train, validation, test = (
        Pictures(pixels, rows, class_index[rows]) for rows in (split.train, split.validation, split.test)
    )
    return SplitDataset(dataset, split, train, validation, test)


def read_data(config: TrainingConfig, folder: Path, cache: Path, on_progress: OnProgress) -> SplitDataset:
    """Read, sample, split and decode the pictures of a run.

    Raises:
        DatasetError: the pictures cannot be trained on.
    """
    dataset = read_pictures(config, folder)
    split = split_by_lesion(dataset, config.seed)
    return split_pictures(dataset, split, open_cache(dataset, config.size, cache, on_progress))
