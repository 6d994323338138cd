"""The names of the files and folders of HAM10000, as it was published. Loads no library."""

from pathlib import Path
from typing import Final

from contract.errors import DatasetError

METADATA: Final = "HAM10000_metadata.csv"
IMAGES: Final = "images"
PUBLISHED_PARTS: Final = ("HAM10000_images_part_1", "HAM10000_images_part_2")


def metadata_path(folder: Path) -> Path:
    """Return the absolute path of the table in a folder of pictures.

    A command calls this before it loads pandas or Keras, so a wrong folder is refused at once.

    Raises:
        DatasetError: the folder or the table does not exist.
    """
    folder = folder.absolute()
    if not folder.is_dir():
        raise DatasetError(f"There is no folder {folder}: name the folder with {METADATA}, or set HAM10000_DIR.")
    path = folder / METADATA
    if not path.exists():
        raise missing_table(path)
    return path


def missing_table(path: Path) -> DatasetError:
    """Make the error for a table that does not exist."""
    return DatasetError(
        f"There is no {path.name} in {path.parent}: put the published table there, or make a synthetic "
        "data set with `lesion data sample`."
    )
