"""A stack is found by its name, and AWS's errors become sentences."""

import json
from collections.abc import Iterator

import boto3
import pytest
from botocore.exceptions import ClientError

from contract.errors import DeploymentError
from operations.account import Account, open_stack
from operations.aws_errors import aws_errors, describe_error
from operations.deployment import Deployment, parameter_of
from tests.loopback_aws import loopback_aws
from tests.operations.test_deployment import VALUES


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """The URL of an AWS for the tests of this file."""
    with loopback_aws() as url:
        yield url


@pytest.fixture
def aws(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The same, with an environment that sends every AWS client to it."""
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


def test_a_stack_is_opened_by_its_name(aws: str) -> None:
    boto3.client("ssm").put_parameter(Name=parameter_of("dev"), Value=json.dumps(VALUES), Type="String")
    stack = open_stack("dev")
    assert (stack.name, stack.region, stack.deployment) == ("dev", VALUES["region"], Deployment(**VALUES))


def test_an_unknown_stack_is_an_error_that_names_the_region(aws: str) -> None:
    with pytest.raises(DeploymentError, match=r"no stack ghost in eu-west-1: .*--region"):
        open_stack("ghost", "eu-west-1")


def test_an_unreachable_endpoint_is_an_error_that_names_it(aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(DeploymentError, match=r"Reading the stack dev failed: http://127.0.0.1:1.* cannot be reached"):
        open_stack("dev")


def test_missing_credentials_are_an_error_with_advice(aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, "/nonexistent")
    with pytest.raises(DeploymentError, match="no AWS credentials"):
        open_stack("dev")


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
def test_each_aws_error_comes_with_advice(code: str, sentence: str) -> None:
    error = ClientError({"Error": {"Code": code, "Message": "not you."}}, "CreateTrainingJob")
    with (
        pytest.raises(DeploymentError, match=rf"Starting the job failed: .*{sentence}"),
        aws_errors("starting the job"),
    ):
        raise error
    assert describe_error(error).endswith(".")


def test_the_caller_is_named_by_an_arn(aws: str) -> None:
    assert Account().caller_arn().startswith("arn:aws:sts::123456789012:")


def test_a_client_is_reused_until_the_environment_changes(aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Account().client("sts")
    assert Account().client("sts") is first
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert Account().client("sts") is not first
