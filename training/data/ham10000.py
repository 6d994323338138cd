"""HAM10000 as it was published: a table of lesions and a folder of pictures, read and held against each other."""

import hashlib
import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from contract.errors import DatasetError
from contract.labels import CODES
from training.data.clean import UNKNOWN, CleaningReport, clean
from training.data.layout import IMAGES, METADATA, PUBLISHED_PARTS

COLUMNS: Final = ("lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization")

NAMES: Final = {"ISIC_": "HAM10000", "SYNTHETIC_": "synthetic"}  # how all image_ids of a set begin -> its name
NAMED_AT_MOST: Final = 3  # of the offenders in an error's sentence


@dataclass(frozen=True, eq=False)
class Dataset:
    """Labelled pictures, one row for each, in an order that every step downstream keeps.

    `rows` has the columns lesion_id, image_id, dx, dx_type, age (float, NaN when unknown), sex, localization,
    path (str, absolute) and class_index (int, the position of `dx` in `contract.labels.CODES`).
    """

    name: str
    folder: Path
    rows: pd.DataFrame
    cleaning: CleaningReport = field(default_factory=CleaningReport)  # what was put right as the table was read

    @cached_property
    def sha256(self) -> str:
        """Identify the metadata of these pictures, whatever order the rows are in and wherever they lie."""
        table = self.rows.loc[:, list(COLUMNS)].astype({"age": object})
        table["age"] = ["" if pd.isna(age) else f"{age:g}" for age in self.rows["age"]]
        lines = sorted(json.dumps(row) for row in table.to_numpy(object).tolist())
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    @property
    def lesions(self) -> int:
        """Count the lesions; one often has several pictures."""
        return int(self.rows["lesion_id"].nunique())

    @property
    def per_class(self) -> dict[str, int]:
        """Count the pictures of each of the seven classes, in the model's order; a class may have none."""
        counts = self.rows["dx"].value_counts()
        return {code: int(counts.get(code, 0)) for code in CODES}

    def subset(self, indexes: "Sequence[int] | np.ndarray") -> "Dataset":
        """Keep the rows at these positions, in this order."""
        rows = self.rows.iloc[np.asarray(indexes, int)].reset_index(drop=True)
        return Dataset(self.name, self.folder, rows, self.cleaning)


def read_dataset(folder: Path) -> Dataset:
    """Read the table, clean it by the rules of `training.data.clean`, and find every picture that it names.

    No picture is opened. What cleaning did is in the result's `cleaning`. The rows are sorted by
    `image_id`. The pictures lie in `images/`, or in the two folders of the published archive. A set is called what its
    pictures are: "HAM10000", "synthetic", or else by the name of its folder.

    Raises:
        DatasetError: the folder or the table cannot be read, or they do not agree; the sentence says how.
    """
    folder = folder.absolute()
    rows, cleaning = clean(read_metadata(folder))
    pictures = find_pictures(folder)
    if faults := find_faults(rows, pictures):
        raise DatasetError(faults[0])
    return Dataset(_name(rows, folder), folder, with_pictures(rows, pictures), cleaning)


def _name(rows: pd.DataFrame, folder: Path) -> str:
    for prefix, name in NAMES.items():
        if rows["image_id"].str.startswith(prefix).all():
            return name
    return folder.name


def read_metadata(folder: Path) -> pd.DataFrame:
    """Read the published columns as text without blanks around it, sorted by `image_id`.

    Raises:
        DatasetError: there is no folder or table, or it is not a table of these columns with at least one row.
    """
    if not folder.is_dir():
        raise DatasetError(f"There is no folder {folder}: name the one that holds {METADATA}, or set HAM10000_DIR.")
    return read_table(folder / METADATA)


def read_table(path: Path, needed: Sequence[str] = COLUMNS) -> pd.DataFrame:
    """Read those of the published columns that a table has, as text without blanks around it, sorted by `image_id`.

    Args:
        path: of a CSV file.
        needed: columns that it must have.

    Raises:
        DatasetError: there is no table, or it is not a table of these columns with at least one row.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as opened, warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # rows longer than the header would lose a cell
            table = pd.read_csv(opened, dtype=str, keep_default_na=False, index_col=False)
    except FileNotFoundError as error:
        raise DatasetError(
            f"There is no {path.name} in {path.parent}: put the published table there, or make a set of synthetic "
            "pictures with `lesion data sample`."
        ) from error
    except (PermissionError, IsADirectoryError) as error:
        raise DatasetError(f"{path} cannot be opened ({error.strerror}): make it a file that you may read.") from error
    except pd.errors.EmptyDataError as error:
        raise DatasetError(f"{path} is empty: put the published table there again.") from error
    except (pd.errors.ParserError, pd.errors.ParserWarning, UnicodeDecodeError) as error:
        raise DatasetError(f"{path} is not a CSV table: put the published table there again.") from error
    if missing := [column for column in needed if column not in table.columns]:
        raise DatasetError(
            f"{path} has no column {_some(missing)}: it must have {', '.join(needed)}, separated by commas."
        )
    if table.empty:
        raise DatasetError(f"{path} has a header and no rows: put the published table there again.")
    there = [column for column in COLUMNS if column in table.columns]
    table = pd.DataFrame({column: table[column].fillna("").str.strip() for column in there})
    return table.sort_values("image_id", kind="stable", ignore_index=True)


def find_pictures(folder: Path) -> dict[str, str]:
    """Find the JPEG files: image_id -> absolute path.

    Raises:
        DatasetError: there is neither `images/` nor a folder of the published archive, or it cannot be listed.
    """
    parts = [IMAGES] if (folder / IMAGES).is_dir() else [part for part in PUBLISHED_PARTS if (folder / part).is_dir()]
    if not parts:
        raise DatasetError(
            f"There are no pictures in {folder}: put them into {IMAGES}/ or {' and '.join(PUBLISHED_PARTS)}."
        )
    pictures: dict[str, str] = {}
    for part in parts:
        try:
            files = sorted((folder.absolute() / part).iterdir())
        except OSError as error:
            raise DatasetError(f"{folder / part} cannot be listed ({error.strerror}): make it readable.") from error
        for file in files:
            if file.suffix.lower() == ".jpg" and not file.name.startswith("."):
                pictures.setdefault(file.stem, str(file))
    return pictures


def with_pictures(rows: pd.DataFrame, pictures: dict[str, str]) -> pd.DataFrame:
    """Turn sound rows of text into those of a `Dataset`: ages as numbers, and where each picture is."""
    return rows.assign(
        age=_ages(rows["age"]),
        path=[pictures[image_id] for image_id in rows["image_id"]],
        class_index=[CODES.index(dx) for dx in rows["dx"]],
    )


def find_faults(rows: pd.DataFrame, pictures: dict[str, str], table: str = METADATA) -> list[str]:
    """Hold the table against itself and against the pictures: a sentence for each kind of fault, none if sound.

    Args:
        rows: as `training.data.clean.clean` returns them.
        pictures: as `find_pictures` returns them.
        table: what the table is called.
    """
    faults = []
    if nameless := int(((rows["image_id"] == "") | (rows["lesion_id"] == "")).sum()):
        faults.append(f"{nameless} of {len(rows)} rows lack an image_id or a lesion_id: fill them in or take them out.")
    repeated = rows["image_id"][rows["image_id"].duplicated()].unique().tolist()
    if repeated:
        faults.append(
            f"{_many(repeated, 'picture has', 'pictures have')} more than one row ({_some(repeated)}): keep one."
        )
    if strange := sorted(set(rows["dx"]) - set(CODES)):
        faults.append(
            f"The dx column names {_some(strange, quoted=True)}, which is none of the seven classes "
            f"{', '.join(CODES)}: correct those rows or take them out."
        )
    classes_of = rows.groupby("lesion_id")["dx"].nunique()
    if torn := sorted(classes_of.index[classes_of > 1]):
        faults.append(
            f"{_many(torn, 'lesion has', 'lesions have')} more than one dx ({_some(torn)}), and a lesion has one "
            "diagnosis: correct those rows or take them out."
        )
    absent = [image_id for image_id in rows["image_id"] if image_id and image_id not in pictures]
    if absent:
        faults.append(
            f"{len(absent)} of the {len(rows)} pictures that {table} names are absent ({_some(absent)}): "
            "copy them there, or take out their rows."
        )
    return faults


def _ages(texts: pd.Series) -> list[float]:
    return [float("nan") if text in ("", UNKNOWN) else float(text) for text in texts]


def _many(offenders: Sequence[str], one: str, more: str) -> str:
    return f"{len(offenders)} {one if len(offenders) == 1 else more}"


def _some(offenders: Sequence[str], *, quoted: bool = False) -> str:
    """Name the first few, and say so when there are more."""
    named = [f'"{name}"' if quoted else name for name in offenders[:NAMED_AT_MOST]]
    return ", ".join(named) + (", ..." if len(offenders) > NAMED_AT_MOST else "")
