"""The paths of an evaluation, checked before any slow import or long work. Loads no data library."""

from dataclasses import dataclass
from pathlib import Path

from contract.bundle import Manifest, read_bundle
from contract.errors import DatasetError
from training.atomic_folder import refuse_nonempty
from training.data.layout import METADATA


@dataclass(frozen=True)
class EvaluationInputs:
    """Paths that exist, and the manifest of a complete bundle."""

    bundle: Path  # folder of one version
    manifest: Manifest
    folder: Path  # of the labelled pictures
    metadata: Path  # their table
    unfamiliar: Path | None  # folder of pictures that show no lesion
    out: Path  # absent, or an empty folder


def check_inputs(
    bundle: Path, folder: Path, out: Path, *, metadata: Path | None = None, unfamiliar: Path | None = None
) -> EvaluationInputs:
    """Check the paths of an evaluation, and read the manifest.

    Args:
        bundle: the folder of one version.
        folder: of the labelled pictures.
        out: where the report goes.
        metadata: the table, if it is not `HAM10000_metadata.csv` in the folder.
        unfamiliar: a folder of pictures that show no lesion, or None.

    Raises:
        BundleError: the bundle is not complete.
        DatasetError: `out` is not empty, or a folder or the table does not exist.
    """
    refuse_nonempty(out)
    manifest = read_bundle(bundle)
    return EvaluationInputs(
        bundle=bundle,
        manifest=manifest,
        folder=folder,
        metadata=find_table(folder, metadata),
        unfamiliar=None if unfamiliar is None else existing_folder(unfamiliar),
        out=out,
    )


def find_table(folder: Path, metadata: Path | None) -> Path:
    """Return the path of the table of a folder of pictures.

    Raises:
        DatasetError: the folder or the table does not exist.
    """
    path = metadata or existing_folder(folder) / METADATA
    if not path.exists():
        raise DatasetError(f"There is no {path.name} in {path.parent}: name the table of the pictures with --metadata.")
    existing_folder(folder)
    return path


def existing_folder(folder: Path) -> Path:
    """Return the folder.

    Raises:
        DatasetError: it does not exist.
    """
    if not folder.is_dir():
        raise DatasetError(f"There is no folder {folder}: name the folder that holds the pictures.")
    return folder
