"""A handful of pictures, real ones where they are at hand, as a set of their own."""

import shutil
from pathlib import Path

import pytest

from tests.tiny_run import TINY_IMAGES


@pytest.fixture(scope="session")
def few_pictures(pictures_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table of about 84 pictures, and these alone: do not change it."""
    from training.data.ham10000 import COLUMNS, read_dataset
    from training.data.layout import METADATA
    from training.data.split import sample_lesions

    sample = sample_lesions(read_dataset(pictures_dir), TINY_IMAGES, seed=42)
    folder = tmp_path_factory.mktemp("few") / "pictures"
    (folder / "images").mkdir(parents=True)
    sample.rows.loc[:, list(COLUMNS)].to_csv(folder / METADATA, index=False)
    for path in sample.rows["path"]:
        shutil.copy(path, folder / "images")
    return folder
