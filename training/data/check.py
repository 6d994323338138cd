"""Check a data set: decode every picture as training does, and compare it with the table and the other pictures."""

from collections import Counter
from pathlib import Path
from typing import Final

import pandas as pd
from pydantic import BaseModel, ConfigDict

from contract.errors import DatasetError
from contract.image import DecodedImage
from contract.labels import CODES
from training.data.clean import UNKNOWN, CleaningReport, clean
from training.data.decode import map_decoded
from training.data.duplicates import HASHED_PX, Duplicates, Fingerprint, find_duplicates, fingerprint
from training.data.ham10000 import find_pictures, find_problems, read_metadata
from training.data.split import MIN_LESIONS
from training.progress import OnProgress, ignore_progress

DX_TYPES: Final = ("histo", "follow_up", "consensus", "confocal", UNKNOWN)
SITES: Final = (
    "abdomen", "acral", "back", "chest", "ear", "face", "foot", "genital", "hand", "lower extremity", "neck", "scalp",
    "trunk", "upper extremity", UNKNOWN,
)  # fmt: skip


class ClassCount(BaseModel):
    """The size of one class."""

    model_config = ConfigDict(frozen=True)

    pictures: int
    lesions: int


class Report(BaseModel):
    """The result of checking a folder of labelled pictures."""

    model_config = ConfigDict(frozen=True)

    folder: str
    pictures: int  # rows of the table
    lesions: int
    per_class: dict[str, ClassCount]  # by code, in the model's order
    sizes: dict[str, int]  # "600x450" -> pictures of that size, most frequent first
    corrupt: dict[str, str]  # image_id -> the reason
    without_row: list[str]  # pictures that the table does not name; training ignores them
    cleaning: CleaningReport  # the changes that are made each time the table is read
    duplicates: Duplicates  # among the decoded pictures
    anomalies: list[str]  # sentences: unusual, but training works and is correct
    unknown_ages: int  # rows
    unknown_sexes: int
    unknown_sites: int
    problems: list[str]  # sentences: each one stops training or makes its results wrong

    @property
    def sound(self) -> bool:
        """Whether training can use the data set unchanged."""
        return not self.problems


def check(dataset_folder: Path, on_progress: OnProgress = ignore_progress) -> Report:
    """Read and clean the table, decode and hash every picture that it names, and report all problems at once.

    Args:
        dataset_folder: the folder with the table and the pictures.
        on_progress: called as ("checking pictures", number done, total).

    Raises:
        DatasetError: there is no folder, no readable table or no folder of pictures.
    """
    folder = dataset_folder.absolute()
    rows, cleaning = clean(read_metadata(folder))
    pictures = find_pictures(folder)
    present = [image_id for image_id in dict.fromkeys(rows["image_id"]) if image_id in pictures]
    sizes: Counter[str] = Counter()
    corrupt: dict[str, str] = {}
    fingerprints: dict[str, Fingerprint] = {}
    # a small scale is fast, and the JPEG decoder parses the complete file at every scale
    results = map_decoded([pictures[image_id] for image_id in present], HASHED_PX, _size_and_fingerprint)
    for done, (image_id, result) in enumerate(zip(present, results, strict=True), 1):
        if isinstance(result, DatasetError):
            corrupt[image_id] = str(result.__cause__)
        else:
            size, fingerprints[image_id] = result
            sizes[size] += 1
        on_progress("checking pictures", done, len(present))
    lesion_of = dict(zip(rows["image_id"], rows["lesion_id"], strict=True))
    lesions = [lesion_of[image_id] for image_id in fingerprints]
    duplicates = find_duplicates(list(fingerprints), lesions, list(fingerprints.values()))
    per_class = {
        code: ClassCount(pictures=len(of_class), lesions=int(of_class["lesion_id"].nunique()))
        for code, of_class in ((code, rows[rows["dx"] == code]) for code in CODES)
    }
    return Report(
        folder=str(folder),
        pictures=len(rows),
        lesions=int(rows["lesion_id"].nunique()),
        per_class=per_class,
        sizes=dict(sizes.most_common()),
        corrupt=corrupt,
        without_row=sorted(pictures.keys() - set(rows["image_id"])),
        cleaning=cleaning,
        duplicates=duplicates,
        anomalies=_anomalies(rows),
        unknown_ages=cleaning.unknown["age"],
        unknown_sexes=cleaning.unknown["sex"],
        unknown_sites=cleaning.unknown["localization"],
        problems=[
            *find_problems(rows, pictures),
            *_small_classes(per_class),
            *_corrupt_pictures(corrupt),
            *_duplicates_across_lesions(duplicates),
        ],
    )


def _size_and_fingerprint(decoded: DecodedImage) -> tuple[str, Fingerprint]:
    return f"{decoded.width}x{decoded.height}", fingerprint(decoded.pixels)


def _anomalies(rows: pd.DataFrame) -> list[str]:
    """List the unusual values that cleaning does not change."""
    found = []
    if age_zero := int((pd.to_numeric(rows["age"]) == 0).sum()):
        found.append(f"{_count(age_zero, 'picture')} of age 0: infants, or an age that was not recorded.")
    for column, name in (
        ("age", "ages"),
        ("sex", "sexes"),
        ("localization", "sites"),
        ("dx_type", "diagnosis methods"),
    ):
        values = rows.groupby("lesion_id")[column].nunique()
        if lesions := values.index[values > 1].tolist():
            found.append(f"{_count(len(lesions), 'lesion')} with pictures of different {name} (such as {lesions[0]}).")
    for column, known in (("dx_type", DX_TYPES), ("localization", SITES)):
        if unexpected := sorted(set(rows[column]) - set(known)):
            pictures = int(rows[column].isin(unexpected).sum())
            found.append(
                f'{_count(pictures, "picture")} with a {column} that HAM10000 does not have ("{unexpected[0]}").'
            )
    return found


def _duplicates_across_lesions(duplicates: Duplicates) -> list[str]:
    if not duplicates.across_lesions:
        return []
    first = duplicates.across_lesions[0]
    return [
        f"{_count(len(duplicates.across_lesions), 'pair')} of near-duplicate pictures under different lesions (such as "
        f"{' and '.join(first.image_ids)}): a model could be tested on a picture that it was trained on. Give both the "
        "same lesion_id, or remove one."
    ]


def _small_classes(per_class: dict[str, ClassCount]) -> list[str]:
    return [
        f"Class {code} has {_count(found.lesions, 'lesion')}, and at least {MIN_LESIONS} are needed to split it: "
        "add pictures of it."
        for code, found in per_class.items()
        if found.lesions < MIN_LESIONS
    ]


def _corrupt_pictures(corrupt: dict[str, str]) -> list[str]:
    if not corrupt:
        return []
    image_id, reason = next(iter(corrupt.items()))
    return [f"{_count(len(corrupt), 'picture')} cannot be decoded, such as {image_id} ({reason}): replace each."]


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
