"""What the tests of promotions share."""

from collections.abc import Iterator

import pytest

from tests.local_cloud import LocalAws, local_aws


@pytest.fixture(scope="session")
def aws() -> Iterator[LocalAws]:
    """Servers on which each test makes its own stack."""
    with local_aws() as servers:
        yield servers
