"""A small data set on the disk that a test may change."""

import csv
from pathlib import Path

from training.data.ham10000 import COLUMNS, Dataset, read_dataset
from training.data.layout import METADATA

Rows = list[dict[str, str]]


class DatasetFolder:
    """A folder with a table and pictures; `rows` reads and writes the table."""

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
            table = csv.DictWriter(opened, list(rows[0]) if rows else COLUMNS)
            table.writeheader()
            table.writerows(rows)

    def picture(self, image_id: str) -> Path:
        return self.path / "images" / f"{image_id}.jpg"

    def read(self) -> Dataset:
        return read_dataset(self.path)
