"""A stack is found by its name, and AWS's refusals become sentences."""

import json
from collections.abc import Iterator

import boto3
import pytest
from botocore.exceptions import ClientError

from contract.errors import DeploymentError
from operations.aws import caller, client, read_deployment, refusal, told
from operations.deployment import Deployment, parameter_of
from tests.loopback_aws import loopback_aws
from tests.operations.test_deployment import TOLD


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """The URL of an AWS of this file's own."""
    with loopback_aws() as url:
        yield url


@pytest.fixture
def aws(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Point AWS's clients at it."""
    for name, value in {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_REGION": "eu-central-1",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    return endpoint


def test_a_stack_tells_what_it_is_made_of(aws: str) -> None:
    boto3.client("ssm").put_parameter(Name=parameter_of("dev"), Value=json.dumps(TOLD), Type="String")
    assert read_deployment("dev") == Deployment(**TOLD)


def test_an_unknown_stack_is_told_with_its_region(aws: str) -> None:
    with pytest.raises(DeploymentError, match=r"no stack ghost in eu-west-1: .*--region"):
        read_deployment("ghost", "eu-west-1")


def test_a_network_without_aws_is_told(aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(DeploymentError, match=r"Reading the stack dev failed: http://127.0.0.1:1.* cannot be reached"):
        read_deployment("dev")


def test_missing_credentials_are_told(aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, "/nonexistent")
    with pytest.raises(DeploymentError, match="no AWS credentials"):
        read_deployment("dev")


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("ExpiredToken", "have expired"),
        ("UnrecognizedClientException", "does not know these credentials"),
        ("AccessDeniedException", r"denies it \(not you\)"),
        ("PermanentRedirect", "another region"),
        ("ThrottlingException", "in a minute"),
        ("ResourceLimitExceeded", r"quota .* \(not you\)"),
        ("SomethingElse", r"not you \(SomethingElse\)"),
    ],
)
def test_each_refusal_says_what_to_do(code: str, sentence: str) -> None:
    error = ClientError({"Error": {"Code": code, "Message": "not you."}}, "CreateTrainingJob")
    with pytest.raises(DeploymentError, match=rf"Starting the job failed: .*{sentence}"), told("starting the job"):
        raise error
    assert refusal(error).endswith(".")


def test_who_asks_is_named_as_aws_knows_them(aws: str) -> None:
    assert caller().startswith("arn:aws:sts::123456789012:")


def test_a_client_is_kept_while_the_environment_is_the_same(aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first = client("sts")
    assert client("sts") is first
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert client("sts") is not first
