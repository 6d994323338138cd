"""Labelled pictures from anywhere: a folder and a table that says less, or says it elsewhere, than HAM10000 does."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Final

import numpy as np

from contract.bundle import Manifest
from contract.errors import DatasetError
from training.data.clean import clean
from training.data.decode import map_decoded
from training.data.ham10000 import COLUMNS, Dataset, find_faults, read_table, with_pictures
from training.data.layout import IMAGES, METADATA, PUBLISHED_PARTS
from training.data.split import sample_lesions, split_by_lesion

NEEDED: Final = ("image_id", "dx")
PICTURES: Final = (".jpg", ".jpeg", ".png", ".webp")
BLOCK: Final = 256  # pictures that are decoded at once


@dataclass(frozen=True, eq=False)
class Labelled:
    """Pictures to be evaluated on."""

    dataset: Dataset
    positions: np.ndarray  # of the rows to evaluate: all of them, or those that training held out
    scope: str  # a sentence: which these are, and why
    absent: tuple[str, ...]  # columns that the table does not have
    notes: tuple[str, ...]  # sentences: what was put in for what is missing


def read_labelled(folder: Path, metadata: Path | None, manifest: Manifest) -> Labelled:
    """Read a folder of pictures and its table, and choose the rows that say something about a model.

    If they are the very pictures that the model was trained on, by their hash, only its held-out lesions do.

    Args:
        folder: with the pictures in it: as HAM10000 has them, or anywhere below it.
        metadata: the table, if it is not `HAM10000_metadata.csv` in the folder. It has the columns image_id and dx; all
            others may be missing.
        manifest: of the model.

    Raises:
        DatasetError: the folder or the table cannot be read, or they do not agree; the sentence says how.
    """
    path = metadata or folder / METADATA
    if not path.exists():
        raise DatasetError(f"There is no {path.name} in {path.parent}: name the table of the pictures with --metadata.")
    table = read_table(path, NEEDED)
    absent = tuple(column for column in COLUMNS if column not in table.columns)
    table["image_id"] = [PurePath(name).stem if _is_picture(name) else name for name in table["image_id"]]
    notes = []
    if "lesion_id" in absent:
        table["lesion_id"] = table["image_id"]
        notes.append("The table has no lesion_id: each picture counts as a lesion of its own.")
    table = table.reindex(columns=list(COLUMNS), fill_value="")
    rows, cleaning = clean(table)
    pictures = find_all_pictures(folder)
    if faults := find_faults(rows, pictures, table=path.name):
        raise DatasetError(faults[0])
    dataset = Dataset(folder.absolute().name, folder.absolute(), with_pictures(rows, pictures), cleaning)
    held_out = held_out_of(dataset, manifest)
    if held_out is None:
        scope = (
            f"All {len(rows)} pictures of {folder.name}, which is another set than the one that the model was trained "
            "on (their hashes differ). Should it hold some of the same pictures, the figures are too good."
        )
        return Labelled(dataset, np.arange(len(rows)), scope, absent, tuple(notes))
    dataset, positions = held_out
    scope = (
        f"The {len(positions)} held-out pictures of {len(dataset.rows)}: these are the pictures that the model was "
        "trained on (by their hash), and neither training nor any choice saw the lesions that are measured here."
    )
    return Labelled(dataset, positions, scope, absent, tuple(notes))


def held_out_of(dataset: Dataset, manifest: Manifest) -> tuple[Dataset, np.ndarray] | None:
    """Find what training held out of these pictures, if it was these that the model was trained on.

    Returns:
        the pictures that training took, which may be a sample of these, and the positions of the held-out ones; None
        for other pictures.

    Raises:
        DatasetError: they are the same pictures, and this version deals them otherwise than the one that trained.
    """
    candidates = [dataset]
    if (images := manifest.training.config.get("images")) is not None:
        candidates.append(sample_lesions(dataset, int(images), manifest.data.split_seed))
    for taken in candidates:
        if taken.sha256 == manifest.data.sha256 and len(taken.rows) == manifest.data.images:
            split = split_by_lesion(taken, manifest.data.split_seed)
            if split.sha256 != manifest.data.split_sha256:
                raise DatasetError(
                    "These are the pictures that the model was trained on, and this version splits them otherwise than "
                    "the one that trained it, so what was held out is not known: use the version of its git_commit."
                )
            return Dataset(manifest.data.name, taken.folder, taken.rows, taken.cleaning), split.test
    return None


def find_all_pictures(folder: Path) -> dict[str, str]:
    """Find JPEG, PNG and WebP files by their names, in HAM10000's folders if there are any, else anywhere below.

    Returns:
        the name without its suffix -> the absolute path.

    Raises:
        DatasetError: there is no folder, no picture in it, or two pictures of one name.
    """
    folder = folder.absolute()
    if not folder.is_dir():
        raise DatasetError(f"There is no folder {folder}: name the one that holds the pictures.")
    published = [folder / part for part in (IMAGES, *PUBLISHED_PARTS) if (folder / part).is_dir()]
    pictures: dict[str, str] = {}
    for place in published or [folder]:
        for path in sorted(place.rglob("*")):
            if not _is_picture(path.name) or not path.is_file():
                continue
            if path.stem in pictures:
                raise DatasetError(f"There are two pictures called {path.stem} in {folder}: keep one of them.")
            pictures[path.stem] = str(path)
    if not pictures:
        raise DatasetError(f"There are no pictures in {folder}: put JPEG, PNG or WebP files there.")
    return pictures


def decode_folder(folder: Path, size: int) -> Iterator[tuple[np.ndarray, int]]:
    """Decode the pictures of a folder, some at a time; what cannot be decoded is left out.

    Yields:
        RGB pixels in 0..255, uint8, shape (up to BLOCK, size, size, 3), and how many could not be decoded.

    Raises:
        DatasetError: there is no folder, or no picture in it.
    """
    if not folder.is_dir():
        raise DatasetError(f"There is no folder {folder}: name the one that holds the pictures.")
    paths = sorted(str(path) for path in folder.rglob("*") if _is_picture(path.name) and path.is_file())
    if not paths:
        raise DatasetError(f"There are no pictures in {folder}: put JPEG, PNG or WebP files there.")
    for start in range(0, len(paths), BLOCK):
        block = paths[start : start + BLOCK]
        decoded = [of for of in map_decoded(block, size, lambda of: of.pixels) if not isinstance(of, DatasetError)]
        if decoded:
            yield np.stack(decoded), len(block) - len(decoded)


def _is_picture(name: str) -> bool:
    return PurePath(name).suffix.lower() in PICTURES and not name.startswith(".")
