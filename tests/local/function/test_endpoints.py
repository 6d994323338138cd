"""boto3 calls Lambda's Invoke and CodeDeploy at the local endpoints, which forward all else to moto."""

import json
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import boto3
import pytest
import urllib3
from botocore.config import Config
from werkzeug.serving import make_server

from local import resources
from local.function.codedeploy import CodeDeploy
from local.function.concurrency import ThrottledError
from local.function.emulator import FunctionFailedError
from local.function.endpoints import create_endpoints
from local.function.versions import VersionedFunction
from tests.loopback_aws import loopback_aws

CANARY_S = 0.5


class FakeVersion:
    """A version that succeeds, fails or is throttled; its MODEL_URI says which."""

    def __init__(self, number: str, environment: Mapping[str, str]) -> None:
        self.number, self.model = number, environment.get("MODEL_URI", "")

    def invoke(self, event: Mapping[str, Any]) -> dict[str, Any]:
        if self.model == "fails":
            raise FunctionFailedError("a failure of the test")
        if self.model == "throttled":
            raise ThrottledError
        return {"statusCode": 200, "body": self.number, "event": dict(event)}

    def stop(self) -> None:
        """It has no processes."""


@pytest.fixture
def aws() -> Iterator[tuple[Any, Any, VersionedFunction]]:
    """Clients of Lambda and CodeDeploy, and the function: versions 1 and 2 succeed, 3 fails, 4 is throttled."""
    with loopback_aws() as moto_url:
        urllib3.request("POST", f"{moto_url}/moto-api/reset")
        session = boto3.Session("test", "test", region_name=resources.REGION)
        resources.create_function(session, moto_url, "first")
        direct = session.client("lambda", endpoint_url=moto_url)
        for model in ("second", "fails", "throttled"):
            direct.update_function_configuration(
                FunctionName="classify", Environment={"Variables": {"MODEL_URI": model}}
            )
            direct.publish_version(FunctionName="classify")
        function = VersionedFunction(direct, "classify", "live", FakeVersion)
        codedeploy = CodeDeploy(direct, function.failures, function.expire_weights, canary_s=CANARY_S)
        server = make_server("127.0.0.1", 0, create_endpoints(function, codedeploy, moto_url), threaded=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield (
                session.client("lambda", endpoint_url=url, config=Config(retries={"max_attempts": 0})),
                session.client("codedeploy", endpoint_url=url),
                function,
            )
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


def deploy(codedeploy: Any, current: str, target: str) -> str:
    properties = {"Name": "classify", "Alias": "live", "CurrentVersion": current, "TargetVersion": target}
    content = {"version": 0.0, "Resources": [{"function": {"Type": "AWS::Lambda::Function", "Properties": properties}}]}
    created = codedeploy.create_deployment(
        applicationName="classify",
        deploymentGroupName="live",
        revision={"revisionType": "AppSpecContent", "appSpecContent": {"content": json.dumps(content)}},
    )
    return str(created["deploymentId"])


def wait_for_end(codedeploy: Any, deployment_id: str) -> dict[str, Any]:
    while True:
        info: dict[str, Any] = codedeploy.get_deployment(deploymentId=deployment_id)["deploymentInfo"]
        if info["status"] not in ("Created", "InProgress"):
            return info
        threading.Event().wait(0.05)


def test_invoke_calls_a_version_and_reports_failures_as_aws_does(aws: tuple[Any, Any, VersionedFunction]) -> None:
    functions, _, _ = aws
    answer = functions.invoke(FunctionName="classify", Qualifier="2", Payload=b'{"a": 1}')
    assert json.loads(answer["Payload"].read()) == {"statusCode": 200, "body": "2", "event": {"a": 1}}
    failed = functions.invoke(FunctionName="classify", Qualifier="3", Payload=b"{}")
    assert failed["FunctionError"] == "Unhandled"
    assert "a failure of the test" in json.loads(failed["Payload"].read())["errorMessage"]
    with pytest.raises(functions.exceptions.TooManyRequestsException):
        functions.invoke(FunctionName="classify", Qualifier="4", Payload=b"{}")
    with pytest.raises(functions.exceptions.ResourceNotFoundException):
        functions.invoke(FunctionName="classify", Qualifier="77", Payload=b"{}")


def test_other_operations_are_forwarded_to_moto(aws: tuple[Any, Any, VersionedFunction]) -> None:
    functions, codedeploy, _ = aws
    listed = functions.list_versions_by_function(FunctionName="classify")["Versions"]
    assert [version["Version"] for version in listed] == ["$LATEST", "1", "2", "3", "4"]
    assert codedeploy.list_applications()["applications"] == ["classify"]


def test_a_canary_shifts_a_tenth_and_then_all_of_the_traffic(aws: tuple[Any, Any, VersionedFunction]) -> None:
    functions, codedeploy, function = aws
    deployment_id = deploy(codedeploy, "1", "2")
    while codedeploy.get_deployment(deploymentId=deployment_id)["deploymentInfo"]["status"] == "Created":
        threading.Event().wait(0.02)
    assert function.weights() == {"1": 0.9, "2": 0.1}
    assert wait_for_end(codedeploy, deployment_id)["status"] == "Succeeded"
    assert functions.get_alias(FunctionName="classify", Name="live")["FunctionVersion"] == "2"
    assert codedeploy.list_deployments(includeOnlyStatuses=["Succeeded"])["deployments"] == [deployment_id]


def test_a_failing_canary_is_rolled_back_and_names_the_reason(aws: tuple[Any, Any, VersionedFunction]) -> None:
    _functions, codedeploy, function = aws
    deployment_id = deploy(codedeploy, "1", "3")
    failed = 0
    while not failed:
        try:
            function.invoke({})
        except FunctionFailedError:
            failed += 1
    info = wait_for_end(codedeploy, deployment_id)
    assert (info["status"], info["errorInformation"]["code"]) == ("Stopped", "ALARM_ACTIVE")
    assert "calls of version 3 failed" in info["errorInformation"]["message"]
    assert function.weights() == {"1": 1.0}


def test_a_group_has_one_active_deployment_and_a_stopped_one_is_rolled_back(
    aws: tuple[Any, Any, VersionedFunction],
) -> None:
    _functions, codedeploy, function = aws
    deployment_id = deploy(codedeploy, "1", "2")
    with pytest.raises(codedeploy.exceptions.DeploymentLimitExceededException, match="already has an active"):
        deploy(codedeploy, "1", "2")
    assert codedeploy.stop_deployment(deploymentId=deployment_id, autoRollbackEnabled=True)["status"] == "Succeeded"
    assert wait_for_end(codedeploy, deployment_id)["status"] == "Stopped"
    assert function.weights() == {"1": 1.0}
    with pytest.raises(codedeploy.exceptions.DeploymentAlreadyCompletedException):
        codedeploy.stop_deployment(deploymentId=deployment_id)


def test_invalid_requests_get_the_errors_of_codedeploy(aws: tuple[Any, Any, VersionedFunction]) -> None:
    _, codedeploy, _ = aws
    with pytest.raises(codedeploy.exceptions.DeploymentDoesNotExistException):
        codedeploy.get_deployment(deploymentId="d-NOSUCH")
    with pytest.raises(codedeploy.exceptions.InvalidRevisionException):
        codedeploy.create_deployment(
            applicationName="classify",
            deploymentGroupName="live",
            revision={"revisionType": "AppSpecContent", "appSpecContent": {"content": "{}"}},
        )
    info = wait_for_end(codedeploy, deploy(codedeploy, "2", "3"))
    assert (info["status"], "points to version 1" in info["errorInformation"]["message"]) == ("Failed", True)
