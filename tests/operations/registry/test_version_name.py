"""A text is checked to be a version, or the start or end of one, without AWS."""

import pytest

from contract.errors import DeploymentError
from operations.registry.version_name import check_version_name


@pytest.mark.parametrize(
    "text", ["20260302T000000Z-d0d098e8", "2026", "20260302T", "20260302T000000Z-d0", "d0d098e8", "8"]
)
def test_a_version_and_every_start_or_end_of_it_pass_the_check(text: str) -> None:
    check_version_name(text)


@pytest.mark.parametrize("text", ["", "nosuch", "../models", "d0d098e8f", "20260302T000000Z-d0d098e8-", "latest"])
def test_a_text_that_is_not_part_of_any_version_is_refused(text: str) -> None:
    with pytest.raises(DeploymentError, match=r"is not a version: .* like 20260302T000000Z-d0d098e8"):
        check_version_name(text)
