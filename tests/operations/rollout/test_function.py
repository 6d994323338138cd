"""The function, its versions and its alias; and what AWS refuses, told in a sentence."""

from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from contract.errors import DeploymentError
from operations.registry.canary import last_good_version, running_shift, start_shift
from operations.registry.serving import invoke, list_versions, publish_version, read_alias
from tests.functions.conftest import http_event
from tests.local_cloud import LocalAws, LocalCloud, local_cloud

MODEL = "s3://skin-lesion-models/models/one"


@pytest.fixture
def cloud(aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalCloud]:
    """An AWS whose function has no model."""
    with local_cloud(aws, tmp_path, canary_s=60, environ=monkeypatch) as made:
        yield made


def test_a_version_carries_the_model_and_keeps_the_other_variables(cloud: LocalCloud) -> None:
    published = publish_version(cloud.deployment, MODEL)
    assert (published.number, published.model_uri) == ("2", MODEL)
    variables = boto3.client("lambda").get_function_configuration(FunctionName="classify", Qualifier="2")
    assert variables["Environment"]["Variables"]["LOG_LEVEL"] == "INFO"
    assert publish_version(cloud.deployment, MODEL) == published
    assert list(list_versions(cloud.deployment)) == ["1", "2"]
    assert read_alias(cloud.deployment).version == "1"


@pytest.mark.parametrize(
    ("call", "status", "code", "sentence"),
    [
        ("UpdateFunctionConfiguration", 412, "PreconditionFailedException", "Somebody else changed classify"),
        ("PublishVersion", 412, "PreconditionFailedException", "Somebody else changed classify"),
        ("PublishVersion", 409, "ResourceConflictException", "Somebody else changed classify"),
        ("UpdateFunctionConfiguration", 403, "AccessDeniedException", "AWS denies it"),
        ("PublishVersion", 400, "CodeStorageExceededException", "CodeStorageExceededException"),
    ],
)
def test_what_lambda_refuses_is_told_and_the_alias_stays(
    cloud: LocalCloud, call: str, status: int, code: str, sentence: str
) -> None:
    """moto knows none of these: the answers have the shape that AWS documents."""
    cloud.faults.answer(call, status, code, "not now")
    with pytest.raises(DeploymentError, match=sentence):
        publish_version(cloud.deployment, MODEL)
    assert read_alias(cloud.deployment).version == "1"


def test_a_version_is_called_past_the_alias(cloud: LocalCloud) -> None:
    publish_version(cloud.deployment, MODEL)
    event = http_event("GET", "/openapi.json")
    assert invoke(cloud.deployment, "2", event)["statusCode"] == 200
    with pytest.raises(DeploymentError, match="Calling version 9 of classify failed: Function not found"):
        invoke(cloud.deployment, "9", event)


def test_a_second_shift_is_refused_while_one_runs(cloud: LocalCloud) -> None:
    publish_version(cloud.deployment, MODEL)
    first = start_shift(cloud.deployment, "1", "2", "the first")
    assert running_shift(cloud.deployment) is not None
    with pytest.raises(DeploymentError, match=r"Another promotion is under way .* models rollback"):
        start_shift(cloud.deployment, "1", "2", "the second")
    assert (first.current, first.target, first.description) == ("1", "2", "the first")
    assert last_good_version(cloud.deployment, "1") is None


def test_what_codedeploy_refuses_is_told(cloud: LocalCloud) -> None:
    cloud.faults.answer("CreateDeployment", 400, "DeploymentGroupDoesNotExistException", "No deployment group live")
    with pytest.raises(DeploymentError, match=r"Starting the canary failed: No deployment group live"):
        start_shift(cloud.deployment, "1", "1", "")
