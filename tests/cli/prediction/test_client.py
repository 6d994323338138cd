"""`lesion predict --url` signs requests to an API on AWS, and only those."""

import pytest

from cli.prediction.client import call_api
from contract.errors import AnalyzerError, ModelUnavailableError


@pytest.fixture(autouse=True)
def no_aws_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither credentials nor a region, whatever this machine has."""
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in (
        "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION", "AWS_REGION",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    ):  # fmt: skip
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("https://a1b2c3.execute-api.us-west-2.amazonaws.com", "no AWS credentials to sign the request with"),
        ("https://api.amazonaws.com", "no AWS region to sign for"),
    ],
)
def test_an_api_on_aws_needs_credentials_and_a_region(url: str, sentence: str) -> None:
    with pytest.raises(AnalyzerError, match=f"{sentence}.*--bundle"):
        call_api(url, b"a picture")


def test_requests_to_another_api_are_not_signed() -> None:
    with pytest.raises(ModelUnavailableError, match="does not answer"):
        call_api("http://127.0.0.1:9", b"a picture")
