"""The labelled pictures to evaluate on: the held-out part of the training set, or all pictures of another set."""

from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Final

import numpy as np

from contract.bundle import Manifest
from contract.errors import DatasetError
from training.data.clean import clean
from training.data.ham10000 import COLUMNS, Dataset, find_problems, read_table, to_dataset_rows
from training.data.split import sample_lesions, split_by_lesion
from training.evaluation.inputs import find_table
from training.evaluation.pictures.files import find_picture_files, is_picture

REQUIRED: Final = ("image_id", "dx")  # columns


@dataclass(frozen=True, eq=False)
class EvaluationSet:
    """A data set, and which of its pictures to evaluate on."""

    dataset: Dataset
    positions: np.ndarray  # of the rows to evaluate: all, or those that training held out
    scope: str  # a sentence: which pictures these are, and why
    absent: tuple[str, ...]  # columns that the table does not have
    notes: tuple[str, ...]  # sentences: how missing columns were replaced


def read_evaluation_set(folder: Path, metadata: Path | None, manifest: Manifest) -> EvaluationSet:
    """Read a folder of pictures and its table, and select the pictures that the model did not learn from.

    If the hash shows that the model was trained on exactly these pictures, only its held-out lesions are selected.

    Args:
        folder: holds the pictures, in the folders of HAM10000 or anywhere below.
        metadata: the table, if it is not `HAM10000_metadata.csv` in the folder. Only the columns image_id and dx are
            required.
        manifest: of the model.

    Raises:
        DatasetError: the folder or the table cannot be read, or they do not agree; the sentence describes the problem.
    """
    path = find_table(folder, metadata)
    table = read_table(path, REQUIRED)
    absent = tuple(column for column in COLUMNS if column not in table.columns)
    table["image_id"] = [PurePath(name).stem if is_picture(name) else name for name in table["image_id"]]
    notes = []
    if "lesion_id" in absent:
        table["lesion_id"] = table["image_id"]
        notes.append("The table has no lesion_id: each picture counts as a separate lesion.")
    table = table.reindex(columns=list(COLUMNS), fill_value="")
    rows, cleaning = clean(table)
    pictures = find_picture_files(folder)
    if problems := find_problems(rows, pictures, table=path.name):
        raise DatasetError(problems[0])
    dataset = Dataset(folder.absolute().name, folder.absolute(), to_dataset_rows(rows, pictures), cleaning)
    held_out = find_held_out(dataset, manifest)
    if held_out is None:
        scope = (
            f"All {len(rows)} pictures of {folder.name}, which is another set than the one that the model was trained "
            "on (the hashes differ). If the two sets share pictures, the results are too good."
        )
        return EvaluationSet(dataset, np.arange(len(rows)), scope, absent, tuple(notes))
    dataset, positions = held_out
    scope = (
        f"The {len(positions)} held-out pictures of {len(dataset.rows)}: the model was trained on this set (the hashes "
        "agree), and no lesion measured here was used for training or for any choice."
    )
    return EvaluationSet(dataset, positions, scope, absent, tuple(notes))


def find_held_out(dataset: Dataset, manifest: Manifest) -> tuple[Dataset, np.ndarray] | None:
    """Find the pictures that training held out, if the model was trained on this data set or on a sample of it.

    Returns:
        the pictures that training used, and the positions of the held-out ones; None for another data set.

    Raises:
        DatasetError: the pictures are the same, and this version of the code splits them differently.
    """
    candidates = [dataset]
    if (images := manifest.training.config.get("images")) is not None:
        candidates.append(sample_lesions(dataset, int(images), manifest.data.split_seed))
    for used in candidates:
        if used.sha256 == manifest.data.sha256 and len(used.rows) == manifest.data.images:
            split = split_by_lesion(used, manifest.data.split_seed)
            if split.sha256 != manifest.data.split_sha256:
                raise DatasetError(
                    "The model was trained on these pictures, but this version of the code splits them differently, so "
                    "the held-out pictures are unknown: check out the commit that the manifest names (git_commit)."
                )
            return Dataset(manifest.data.name, used.folder, used.rows, used.cleaning), split.test
    return None
