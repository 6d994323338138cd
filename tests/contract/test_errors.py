"""Programs and people can distinguish all errors."""

import pytest

from contract import errors
from contract.errors import (
    AnalyzerError,
    BundleError,
    DatasetError,
    DeploymentError,
    InvalidUriError,
    ModelUnavailableError,
    StorageUnavailableError,
    TrainingError,
    error_classes,
)

OURS = [error for error in error_classes() if error.__module__ == errors.__name__]
NOT_THE_CALLERS_FAULT = {
    InvalidUriError,
    ModelUnavailableError,
    BundleError,
    StorageUnavailableError,
    DatasetError,
    TrainingError,
    DeploymentError,
}


def test_every_error_of_the_contract_is_an_analyzer_error() -> None:
    defined = {it for it in vars(errors).values() if isinstance(it, type) and issubclass(it, Exception)}
    assert defined == {AnalyzerError, *OURS}
    assert len(OURS) >= 13


@pytest.mark.parametrize("error", OURS)
def test_an_error_has_its_own_code_title_and_docstring(error: type[AnalyzerError]) -> None:
    assert {"code", "title"} <= vars(error).keys()
    assert error.code.isidentifier()
    assert error.code == error.code.lower()
    assert error.title[0].isupper()
    assert vars(error)["__doc__"].endswith(".")


def test_codes_and_titles_are_unique() -> None:
    everyone: list[type[AnalyzerError]] = [AnalyzerError, *OURS]
    assert len({error.code for error in everyone}) == len(everyone)
    assert len({error.title for error in everyone}) == len(everyone)


@pytest.mark.parametrize("error", [error for error in OURS if error not in NOT_THE_CALLERS_FAULT])
def test_errors_that_a_caller_can_cause_are_4xx(error: type[AnalyzerError]) -> None:
    assert 400 <= error.status < 500


@pytest.mark.parametrize("error", [error for error in OURS if error.status in (429, 503)])
def test_a_temporary_error_says_when_to_try_again(error: type[AnalyzerError]) -> None:
    assert error.retry_after_s is not None
    assert error.retry_after_s > 0


@pytest.mark.parametrize("error", [error for error in OURS if error.status not in (429, 503)])
def test_a_permanent_error_has_no_retry_time(error: type[AnalyzerError]) -> None:
    assert error.retry_after_s is None


def test_the_message_is_only_the_sentence() -> None:
    assert str(BundleError("The file is gone. Publish it again.")) == "The file is gone. Publish it again."
