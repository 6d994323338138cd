"""Small data sets: one to read, and one that a test may change."""

import shutil
from pathlib import Path

import pytest

from tests.training.data.dataset_folder import DatasetFolder
from training.data.ham10000 import COLUMNS, Dataset, read_dataset
from training.data.split import sample_lesions


@pytest.fixture(scope="session")
def small_dataset(pictures_dir: Path) -> Dataset:
    """About 90 pictures of all classes. Tests must not change the files."""
    return sample_lesions(read_dataset(pictures_dir), images=90, seed=3)


@pytest.fixture
def folder(tmp_path: Path, small_dataset: Dataset) -> DatasetFolder:
    """A copy of four lesions of each class, with about 40 pictures, that a test may change."""
    path = tmp_path / "pictures"
    (path / "images").mkdir(parents=True)
    lesions = small_dataset.rows.groupby("dx")["lesion_id"].unique()
    chosen = {lesion for of_class in lesions for lesion in of_class[:4]}
    rows = small_dataset.rows[small_dataset.rows["lesion_id"].isin(chosen)]
    for picture in rows["path"]:
        shutil.copy(picture, path / "images")
    ages = ["" if age != age else str(age) for age in rows["age"].tolist()]
    copied = DatasetFolder(path)
    records = rows.assign(age=ages)[list(COLUMNS)].to_dict("records")
    copied.rows = [{str(column): value for column, value in row.items()} for row in records]
    return copied
