"""Are the pictures sound? Each is opened as training would open it, and held against the table and all others."""

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
from training.data.ham10000 import find_faults, find_pictures, read_metadata
from training.data.split import FEWEST_LESIONS
from training.progress import OnProgress

DX_TYPES: Final = ("histo", "follow_up", "consensus", "confocal", UNKNOWN)
SITES: Final = (
    "abdomen", "acral", "back", "chest", "ear", "face", "foot", "genital", "hand", "lower extremity", "neck", "scalp",
    "trunk", "upper extremity", UNKNOWN,
)  # fmt: skip


class ClassCount(BaseModel):
    """How much there is of one class."""

    model_config = ConfigDict(frozen=True)

    pictures: int
    lesions: int


class Report(BaseModel):
    """What was found in a folder of labelled pictures."""

    model_config = ConfigDict(frozen=True)

    folder: str
    pictures: int  # rows of the table
    lesions: int
    per_class: dict[str, ClassCount]  # by code, in the model's order
    sizes: dict[str, int]  # "600x450" -> pictures of that size, commonest first
    corrupt: dict[str, str]  # image_id -> why it cannot be decoded
    without_row: list[str]  # pictures that the table does not name; training leaves them out
    cleaning: CleaningReport  # what is put right whenever the table is read
    duplicates: Duplicates  # among the pictures that can be decoded
    anomalies: list[str]  # plain sentences: strange, but nothing that stops training or makes it wrong
    unknown_ages: int  # rows
    unknown_sexes: int
    unknown_sites: int
    problems: list[str]  # plain sentences; any one of them stops training or makes it wrong

    @property
    def sound(self) -> bool:
        """Whether the pictures can be trained on as they lie."""
        return not self.problems


def check(dataset_folder: Path, on_progress: OnProgress | None = None) -> Report:
    """Read and clean the table, decode and hash every picture that it names, and report all that is wrong at once.

    Args:
        dataset_folder: the folder with the table and the pictures.
        on_progress: called as ("checking pictures", done, of how many).

    Raises:
        DatasetError: there is no folder, no table or no pictures, or the table is none: there is nothing to report on.
    """
    folder = dataset_folder.absolute()
    rows, cleaning = clean(read_metadata(folder))
    pictures = find_pictures(folder)
    present = [image_id for image_id in dict.fromkeys(rows["image_id"]) if image_id in pictures]
    sizes: Counter[str] = Counter()
    corrupt: dict[str, str] = {}
    prints: dict[str, Fingerprint] = {}
    # HASHED_PX: of a JPEG all of the file is parsed whatever the scale, and a small one is quick
    looked_at = map_decoded([pictures[image_id] for image_id in present], HASHED_PX, _look_at)
    for done, (image_id, seen) in enumerate(zip(present, looked_at, strict=True), 1):
        if isinstance(seen, DatasetError):
            corrupt[image_id] = str(seen.__cause__)
        else:
            size, prints[image_id] = seen
            sizes[size] += 1
        if on_progress:
            on_progress("checking pictures", done, len(present))
    lesion_of = dict(zip(rows["image_id"], rows["lesion_id"], strict=True))
    duplicates = find_duplicates(list(prints), [lesion_of[image_id] for image_id in prints], list(prints.values()))
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
            *find_faults(rows, pictures),
            *_unsplittable(per_class),
            *_undecodable(corrupt),
            *_leaking(duplicates),
        ],
    )


def _look_at(decoded: DecodedImage) -> tuple[str, Fingerprint]:
    return f"{decoded.width}x{decoded.height}", fingerprint(decoded.pixels)


def _anomalies(rows: pd.DataFrame) -> list[str]:
    """List what is strange in a cleaned table and left as it is."""
    found = []
    if newborn := int((pd.to_numeric(rows["age"]) == 0).sum()):
        found.append(f"{_count(newborn, 'picture')} of age 0: infants, or an age that was not recorded.")
    for column, name in (
        ("age", "ages"),
        ("sex", "sexes"),
        ("localization", "sites"),
        ("dx_type", "ways of diagnosis"),
    ):
        values = rows.groupby("lesion_id")[column].nunique()
        if torn := values.index[values > 1].tolist():
            found.append(f"{_count(len(torn), 'lesion')} with pictures of different {name} ({torn[0]} for one).")
    for column, known in (("dx_type", DX_TYPES), ("localization", SITES)):
        if strange := sorted(set(rows[column]) - set(known)):
            pictures = int(rows[column].isin(strange).sum())
            found.append(f'{_count(pictures, "picture")} with a {column} that HAM10000 does not have ("{strange[0]}").')
    return found


def _leaking(duplicates: Duplicates) -> list[str]:
    if not duplicates.across_lesions:
        return []
    first = duplicates.across_lesions[0]
    return [
        f"{_count(len(duplicates.across_lesions), 'pair')} of pictures nearly the same under different lesions, "
        f"{' and '.join(first.image_ids)} for one: a model could be judged by what it has seen. Give both the same "
        "lesion_id, or take one out."
    ]


def _unsplittable(per_class: dict[str, ClassCount]) -> list[str]:
    return [
        f"Class {code} has {_count(found.lesions, 'lesion')}, and at least {FEWEST_LESIONS} are needed to split it: "
        "add pictures of it."
        for code, found in per_class.items()
        if found.lesions < FEWEST_LESIONS
    ]


def _undecodable(corrupt: dict[str, str]) -> list[str]:
    if not corrupt:
        return []
    image_id, reason = next(iter(corrupt.items()))
    return [f"{_count(len(corrupt), 'picture')} cannot be decoded, {image_id} for one ({reason}): replace each."]


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
