"""A bundle to serve in the local stack."""

from pathlib import Path

import pytest

from tests.tiny_bundle import write_tiny_bundle


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle whose model answers at 64 px."""
    return write_tiny_bundle(tmp_path_factory.mktemp("bundle"))
