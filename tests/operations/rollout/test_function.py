"""The function, its versions and its alias; AWS's refusals become sentences."""

from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from contract.errors import DeploymentError
from contract.events import http_event
from operations.rollout.canary import find_running_shift, previous_version, start_shift
from operations.rollout.function import invoke, list_versions, publish_version, read_alias
from tests.local_cloud import LocalAws, LocalCloud, local_cloud

MODEL = "s3://skin-lesion-models/models/one"


@pytest.fixture
def cloud(aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalCloud]:
    """An AWS whose function has no model."""
    with local_cloud(aws, tmp_path, canary_s=60, environ=monkeypatch) as made:
        yield made


def test_a_version_gets_the_model_and_keeps_the_other_variables(cloud: LocalCloud) -> None:
    published = publish_version(cloud.stack, MODEL)
    assert (published.number, published.model_uri) == ("2", MODEL)
    variables = boto3.client("lambda").get_function_configuration(FunctionName="classify", Qualifier="2")
    assert variables["Environment"]["Variables"]["LOG_LEVEL"] == "INFO"
    assert publish_version(cloud.stack, MODEL) == published
    assert list(list_versions(cloud.stack)) == ["1", "2"]
    assert read_alias(cloud.stack).version == "1"


@pytest.mark.parametrize(
    ("call", "status", "code", "sentence"),
    [
        ("UpdateFunctionConfiguration", 412, "PreconditionFailedException", "Another user changed classify"),
        ("PublishVersion", 412, "PreconditionFailedException", "Another user changed classify"),
        ("PublishVersion", 409, "ResourceConflictException", "Another user changed classify"),
        ("UpdateFunctionConfiguration", 403, "AccessDeniedException", "AWS denies it"),
        ("PublishVersion", 400, "CodeStorageExceededException", "CodeStorageExceededException"),
    ],
)
def test_a_refusal_of_lambda_is_an_error_and_the_alias_stays(
    cloud: LocalCloud, call: str, status: int, code: str, sentence: str
) -> None:
    """moto returns none of these errors: they are in the form that AWS documents."""
    cloud.faults.answer(call, status, code, "not now")
    with pytest.raises(DeploymentError, match=sentence):
        publish_version(cloud.stack, MODEL)
    assert read_alias(cloud.stack).version == "1"


def test_a_version_is_called_directly(cloud: LocalCloud) -> None:
    publish_version(cloud.stack, MODEL)
    event = http_event("GET", "/openapi.json")
    assert invoke(cloud.stack, "2", event)["statusCode"] == 200
    with pytest.raises(DeploymentError, match="Calling version 9 of classify failed: Function not found"):
        invoke(cloud.stack, "9", event)


def test_a_second_shift_is_refused_while_one_is_running(cloud: LocalCloud) -> None:
    publish_version(cloud.stack, MODEL)
    first = start_shift(cloud.stack, "1", "2", "the first")
    assert find_running_shift(cloud.stack) is not None
    with pytest.raises(DeploymentError, match=r"Another promotion is running .* models rollback"):
        start_shift(cloud.stack, "1", "2", "the second")
    assert (first.current, first.target, first.description) == ("1", "2", "the first")
    assert previous_version(cloud.stack, "1") is None


def test_a_refusal_of_codedeploy_is_an_error(cloud: LocalCloud) -> None:
    cloud.faults.answer("CreateDeployment", 400, "DeploymentGroupDoesNotExistException", "No deployment group live")
    with pytest.raises(DeploymentError, match=r"Starting the canary failed: No deployment group live"):
        start_shift(cloud.stack, "1", "1", "")
