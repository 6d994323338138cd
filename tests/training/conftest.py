"""The fixture that tests of training share: the smallest network."""

from typing import TYPE_CHECKING

import pytest

from tests.tiny_run import TINY_SIZE
from tests.training.small_classifier import small_classifier

if TYPE_CHECKING:
    from training.model import Classifier


@pytest.fixture(scope="session")
def classifier() -> "Classifier":
    """The smallest network, whose predictions differ between pictures. Tests must not change it."""
    return small_classifier(TINY_SIZE)
