"""The pictures that tests use: HAM10000 if HAM10000_DIR names it, otherwise synthetic ones."""

import os
from pathlib import Path

import pytest

from tests.tiny_run import TinyRun, train_tiny

SYNTHETIC_PICTURES = 84


@pytest.fixture(scope="session")
def synthetic_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small synthetic data set in the published layout, painted once for all tests. Tests must not change it."""
    from training.data.synthetic.dataset import write_synthetic_dataset

    folder = tmp_path_factory.mktemp("pictures") / "synthetic"
    return write_synthetic_dataset(folder, images=SYNTHETIC_PICTURES).folder


@pytest.fixture(scope="session")
def pictures_dir(request: pytest.FixtureRequest) -> Path:
    """A folder with the published table and its pictures. Tests must not change it."""
    from training.data.layout import METADATA

    real = os.environ.get("HAM10000_DIR")
    if real and (Path(real) / METADATA).is_file():
        return Path(real).absolute()
    synthetic: Path = request.getfixturevalue("synthetic_dir")
    return synthetic


@pytest.fixture(scope="session")
def originals(pictures_dir: Path, request: pytest.FixtureRequest) -> list[bytes]:
    """Up to 30 JPEG files of 600x450: the published originals if they exist, otherwise synthetic ones."""
    published = sorted((pictures_dir / "originals").glob("*.jpg"))
    painted = [] if published else sorted((request.getfixturevalue("synthetic_dir") / "images").glob("*.jpg"))
    return [path.read_bytes() for path in (published or painted)[:30]]


@pytest.fixture(scope="session")
def tiny_run(pictures_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> TinyRun:
    """A training run of one epoch on a few pictures, from random weights to a bundle."""
    return train_tiny(pictures_dir, tmp_path_factory.mktemp("models"), tmp_path_factory.mktemp("cache"))
