"""What the tests of the registry stand on: models that are good, fair and bad, made once."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.local_cloud import LocalAws, local_aws
from tests.skilled_bundle import write_skilled_bundle


@pytest.fixture(scope="session")
def models(synthetic_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Bundles by name: leave them as they are."""
    folder = tmp_path_factory.mktemp("models")

    def made(name: str, day: int, **words: object) -> Path:
        when = datetime(2026, 3, day, tzinfo=UTC)
        return write_skilled_bundle(folder / name, synthetic_dir, made=when, **words)  # type: ignore[arg-type]

    return {
        "fair": made("fair", 1, skill="fair"),
        "good": made("good", 2, skill="good"),
        "bad": made("bad", 3, skill="bad"),
        "old": made("old", 4, skill="good", answers=False),
        "elsewhere": made("elsewhere", 5, skill="good", split="2"),
    }


@pytest.fixture(scope="session")
def aws() -> Iterator[LocalAws]:
    """Servers on which each test makes a stack of its own."""
    with local_aws() as made:
        yield made
