"""Read HAM10000 as it was published: a table of metadata and a folder of pictures, checked against each other."""

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
from training.data.layout import IMAGES, METADATA, PUBLISHED_PARTS, metadata_path, missing_table

COLUMNS: Final = ("lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization")

NAMES: Final = {"ISIC_": "HAM10000", "SYNTHETIC_": "synthetic"}  # prefix of all image_ids -> name of the data set
MAX_EXAMPLES: Final = 3  # in an error message


@dataclass(frozen=True, eq=False)
class Dataset:
    """Labelled pictures, one row for each. All later steps keep the order of the rows.

    `rows` has the columns lesion_id, image_id, dx, dx_type, age (float, NaN when unknown), sex, localization,
    path (str, absolute) and class_index (int, the position of `dx` in `contract.labels.CODES`).
    """

    name: str
    folder: Path
    rows: pd.DataFrame
    cleaning: CleaningReport = field(default_factory=CleaningReport)  # the changes made when the table was read

    @cached_property
    def sha256(self) -> str:
        """A hash of the metadata, independent of the order of the rows and of the folder."""
        table = self.rows.loc[:, list(COLUMNS)].astype({"age": object})
        table["age"] = ["" if pd.isna(age) else f"{age:g}" for age in self.rows["age"]]
        lines = sorted(json.dumps(row) for row in table.to_numpy(object).tolist())
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    @property
    def lesions(self) -> int:
        """The number of lesions; a lesion often has several pictures."""
        return int(self.rows["lesion_id"].nunique())

    @property
    def per_class(self) -> dict[str, int]:
        """The number of pictures of each class, in the model's order; it may be 0."""
        counts = self.rows["dx"].value_counts()
        return {code: int(counts.get(code, 0)) for code in CODES}

    def subset(self, indexes: "Sequence[int] | np.ndarray") -> "Dataset":
        """Return the rows at these positions, in this order."""
        rows = self.rows.iloc[np.asarray(indexes, int)].reset_index(drop=True)
        return Dataset(self.name, self.folder, rows, self.cleaning)


def read_dataset(folder: Path) -> Dataset:
    """Read the table, clean it by the rules of `training.data.clean`, and find the file of every picture.

    No picture is opened. The rows are sorted by `image_id`. The pictures are in `images/`, or in the two folders of the
    published archive. The name of the data set comes from the image_ids: "HAM10000", "synthetic", or otherwise the name
    of the folder.

    Raises:
        DatasetError: the folder or the table cannot be read, or they do not agree; the message has the reason.
    """
    folder = folder.absolute()
    rows, cleaning = clean(read_metadata(folder))
    pictures = find_pictures(folder)
    if problems := find_problems(rows, pictures):
        raise DatasetError(problems[0])
    return Dataset(_name(rows, folder), folder, to_dataset_rows(rows, pictures), cleaning)


def _name(rows: pd.DataFrame, folder: Path) -> str:
    for prefix, name in NAMES.items():
        if rows["image_id"].str.startswith(prefix).all():
            return name
    return folder.name


def read_metadata(folder: Path) -> pd.DataFrame:
    """Read the published columns as stripped text, sorted by `image_id`.

    Raises:
        DatasetError: there is no folder or table, or the table lacks a column or has no rows.
    """
    return read_table(metadata_path(folder))


def read_table(path: Path, needed: Sequence[str] = COLUMNS) -> pd.DataFrame:
    """Read the published columns that a table has, as stripped text, sorted by `image_id`.

    Args:
        path: of a CSV file.
        needed: columns that it must have.

    Raises:
        DatasetError: there is no table, or the table lacks a needed column or has no rows.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as opened, warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # pandas drops cells of too long rows
            table = pd.read_csv(opened, dtype=str, keep_default_na=False, index_col=False)
    except FileNotFoundError as error:
        raise missing_table(path) from error
    except (PermissionError, IsADirectoryError) as error:
        raise DatasetError(f"{path} cannot be opened ({error.strerror}): make it a readable file.") from error
    except pd.errors.EmptyDataError as error:
        raise DatasetError(f"{path} is empty: copy the published table there again.") from error
    except (pd.errors.ParserError, pd.errors.ParserWarning, UnicodeDecodeError) as error:
        raise DatasetError(f"{path} is not a CSV table: copy the published table there again.") from error
    if missing := [column for column in needed if column not in table.columns]:
        raise DatasetError(
            f"{path} has no column {_examples(missing)}: it must have {', '.join(needed)}, separated by commas."
        )
    if table.empty:
        raise DatasetError(f"{path} has a header and no rows: copy the published table there again.")
    present = [column for column in COLUMNS if column in table.columns]
    table = pd.DataFrame({column: table[column].fillna("").str.strip() for column in present})
    return table.sort_values("image_id", kind="stable", ignore_index=True)


def find_pictures(folder: Path) -> dict[str, str]:
    """Find the JPEG files: image_id -> absolute path.

    Raises:
        DatasetError: there is neither `images/` nor a folder of the published archive, or a folder cannot be listed.
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


def to_dataset_rows(rows: pd.DataFrame, pictures: dict[str, str]) -> pd.DataFrame:
    """Convert the cleaned rows of text to the rows of a `Dataset`.

    Args:
        rows: as `training.data.clean.clean` returns them, without problems.
        pictures: as `find_pictures` returns them.
    """
    return rows.assign(
        age=[float("nan") if age in ("", UNKNOWN) else float(age) for age in rows["age"]],
        path=[pictures[image_id] for image_id in rows["image_id"]],
        class_index=[CODES.index(dx) for dx in rows["dx"]],
    )


def find_problems(rows: pd.DataFrame, pictures: dict[str, str], table: str = METADATA) -> list[str]:
    """Check the table for consistency and for missing pictures; return a sentence for each kind of problem.

    Args:
        rows: as `training.data.clean.clean` returns them.
        pictures: as `find_pictures` returns them.
        table: its name in the sentences.
    """
    problems = []
    if n_incomplete := int(((rows["image_id"] == "") | (rows["lesion_id"] == "")).sum()):
        problems.append(
            f"{n_incomplete} of {len(rows)} rows lack an image_id or a lesion_id: fill them in, or remove the rows."
        )
    if repeated := rows["image_id"][rows["image_id"].duplicated()].unique().tolist():
        have = _count(repeated, "picture has", "pictures have")
        problems.append(f"{have} more than one row ({_examples(repeated)}): keep one.")
    if unknown := sorted(set(rows["dx"]) - set(CODES)):
        problems.append(
            f"The dx column names {_examples(unknown, quoted=True)}, which is none of the seven classes "
            f"{', '.join(CODES)}: correct those rows, or remove them."
        )
    classes_of = rows.groupby("lesion_id")["dx"].nunique()
    if ambiguous := sorted(classes_of.index[classes_of > 1]):
        have = _count(ambiguous, "lesion has", "lesions have")
        problems.append(
            f"{have} more than one dx ({_examples(ambiguous)}), and a lesion has one diagnosis: correct those rows, or "
            "remove them."
        )
    if missing := [image_id for image_id in rows["image_id"] if image_id and image_id not in pictures]:
        problems.append(
            f"{len(missing)} of the {len(rows)} pictures that {table} names are absent ({_examples(missing)}): "
            "copy them there, or remove their rows."
        )
    return problems


def _count(items: Sequence[str], singular: str, plural: str) -> str:
    return f"{len(items)} {singular if len(items) == 1 else plural}"


def _examples(items: Sequence[str], *, quoted: bool = False) -> str:
    """List the first few items, and "..." if there are more."""
    first = [f'"{item}"' if quoted else item for item in items[:MAX_EXAMPLES]]
    return ", ".join(first) + (", ..." if len(items) > MAX_EXAMPLES else "")
