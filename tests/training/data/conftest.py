"""A small folder of pictures that a test may spoil."""

import csv
import shutil
from pathlib import Path

import pytest

from training.data.ham10000 import COLUMNS, Dataset, read_dataset
from training.data.layout import METADATA
from training.data.split import sample_lesions

Rows = list[dict[str, str]]


class Folder:
    """A data set on the disk, whose table and pictures a test rewrites."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def table(self) -> Path:
        return self.path / METADATA

    @property
    def rows(self) -> Rows:
        with self.table.open(newline="") as opened:
            return list(csv.DictReader(opened))

    @rows.setter
    def rows(self, rows: Rows) -> None:
        with self.table.open("w", newline="") as opened:
            table = csv.DictWriter(opened, rows[0].keys() if rows else COLUMNS)
            table.writeheader()
            table.writerows(rows)

    def picture(self, image_id: str) -> Path:
        return self.path / "images" / f"{image_id}.jpg"

    def read(self) -> Dataset:
        return read_dataset(self.path)


@pytest.fixture(scope="session")
def small_dataset(pictures_dir: Path) -> Dataset:
    """About ninety of the pictures, of every class, where they lie."""
    return sample_lesions(read_dataset(pictures_dir), images=90, seed=3)


@pytest.fixture
def folder(tmp_path: Path, small_dataset: Dataset) -> Folder:
    """The first forty or so of them copied to where a test may change them."""
    path = tmp_path / "pictures"
    (path / "images").mkdir(parents=True)
    lesions = small_dataset.rows.groupby("dx")["lesion_id"].unique()
    chosen = {lesion for of_class in lesions for lesion in of_class[:4]}
    copied = Folder(path)
    rows = small_dataset.rows[small_dataset.rows["lesion_id"].isin(chosen)]
    for source in rows["path"]:
        shutil.copy(source, path / "images")
    ages = ["" if age != age else str(age) for age in rows["age"]]
    copied.rows = rows.assign(age=ages)[list(COLUMNS)].to_dict("records")
    return copied
