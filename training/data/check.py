"""Are the pictures sound? Every one is opened as training would open it, and the table is held against them."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict

from contract.errors import DatasetError
from contract.labels import CODES
from training.data.cache import decode_files
from training.data.ham10000 import UNKNOWN, find_faults, find_pictures, read_metadata
from training.data.split import FEWEST_LESIONS

DECODED_PX: Final = 64  # JPEG: all of the file is parsed whatever the scale, and a small one is quick

OnProgress = Callable[[str, int, int], None]  # what is being done, how many are done, of how many


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
    unknown_ages: int  # rows
    unknown_sexes: int
    unknown_sites: int
    problems: list[str]  # plain sentences; any one of them stops training or makes it wrong

    @property
    def sound(self) -> bool:
        """Whether the pictures can be trained on as they lie."""
        return not self.problems


def check(dataset_folder: Path, on_progress: OnProgress | None = None) -> Report:
    """Read the table, open and decode every picture that it names, and report all that is wrong at once.

    Args:
        dataset_folder: the folder with the table and the pictures.
        on_progress: called as ("checking pictures", done, of how many).

    Raises:
        DatasetError: there is no folder, no table or no pictures, or the table is none: there is nothing to report on.
    """
    folder = dataset_folder.absolute()
    rows, pictures = read_metadata(folder), find_pictures(folder)
    present = [image_id for image_id in dict.fromkeys(rows["image_id"]) if image_id in pictures]
    sizes: Counter[str] = Counter()
    corrupt: dict[str, str] = {}
    decoded_files = decode_files([pictures[image_id] for image_id in present], DECODED_PX)
    for done, (image_id, decoded) in enumerate(zip(present, decoded_files, strict=True), 1):
        if isinstance(decoded, DatasetError):
            corrupt[image_id] = str(decoded.__cause__)
        else:
            sizes[f"{decoded.width}x{decoded.height}"] += 1
        if on_progress:
            on_progress("checking pictures", done, len(present))
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
        unknown_ages=int(rows["age"].isin(["", UNKNOWN]).sum()),
        unknown_sexes=int((rows["sex"] == UNKNOWN).sum()),
        unknown_sites=int((rows["localization"] == UNKNOWN).sum()),
        problems=[*find_faults(rows, pictures), *_unsplittable(per_class), *_undecodable(corrupt)],
    )


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
