"""The pictures that tests run on: HAM10000 where HAM10000_DIR names it, synthetic ones elsewhere."""

import os
from pathlib import Path

import pytest

from tests.tiny_run import TinyRun, train_tiny

SYNTHETIC_PICTURES = 84


@pytest.fixture(scope="session")
def synthetic_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small synthetic set in the published layout, painted once for all tests: do not change it."""
    from training.data.synthesize import write_sample

    return write_sample(tmp_path_factory.mktemp("pictures") / "synthetic", images=SYNTHETIC_PICTURES).folder


@pytest.fixture(scope="session")
def pictures_dir(request: pytest.FixtureRequest) -> Path:
    """A folder with the published table and its pictures: do not change it."""
    from training.data.layout import METADATA

    real = os.environ.get("HAM10000_DIR")
    if real and (Path(real) / METADATA).is_file():
        return Path(real).absolute()
    return request.getfixturevalue("synthetic_dir")


@pytest.fixture(scope="session")
def originals(pictures_dir: Path, request: pytest.FixtureRequest) -> list[bytes]:
    """JPEG files of 600x450, as published where they are at hand."""
    published = sorted((pictures_dir / "originals").glob("*.jpg"))
    painted = [] if published else sorted((request.getfixturevalue("synthetic_dir") / "images").glob("*.jpg"))
    return [path.read_bytes() for path in (published or painted)[:30]]


@pytest.fixture(scope="session")
def tiny_run(pictures_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> TinyRun:
    """One epoch over a few pictures, from fresh weights to a bundle."""
    return train_tiny(pictures_dir, tmp_path_factory.mktemp("models"), tmp_path_factory.mktemp("cache"))
