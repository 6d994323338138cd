"""What the tests of training stand on: the network at its smallest."""

from typing import TYPE_CHECKING

import pytest

from tests.tiny_run import TINY_SIZE
from tests.training.small_classifier import small_classifier

if TYPE_CHECKING:
    from training.model import Classifier


@pytest.fixture(scope="session")
def classifier() -> "Classifier":
    """The network at its smallest, whose answers differ from picture to picture: leave it as it is."""
    return small_classifier(TINY_SIZE)
