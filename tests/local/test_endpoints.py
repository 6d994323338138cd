"""Lambda's Invoke and CodeDeploy, as AWS's own client meets them; everything else comes from moto."""

import json
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import boto3
import pytest
import urllib3
from werkzeug.serving import make_server

from local import cloud
from local.codedeploy import CodeDeploy
from local.emulator import FunctionFailedError, ThrottledError
from local.endpoints import create_endpoints
from local.versions import VersionedFunction
from tests.loopback_aws import loopback_aws

CANARY_S = 0.5


class Version:
    """A version that answers, or fails as its model tells."""

    def __init__(self, number: str, environment: Mapping[str, str]) -> None:
        self.number, self.model = number, environment.get("MODEL_URI", "")

    def invoke(self, event: Mapping[str, Any]) -> dict[str, Any]:
        if self.model == "fails":
            raise FunctionFailedError("as told")
        if self.model == "throttled":
            raise ThrottledError
        return {"statusCode": 200, "body": self.number, "event": dict(event)}

    def stop(self) -> None:
        """There is nothing to stop."""


@pytest.fixture
def aws() -> Iterator[tuple[Any, Any, VersionedFunction]]:
    """Clients of Lambda and CodeDeploy, and the function; versions 1 and 2 are sound, 3 fails and 4 is throttled."""
    with loopback_aws() as moto_url:
        urllib3.request("POST", f"{moto_url}/moto-api/reset")
        session = boto3.Session("test", "test", region_name=cloud.REGION)
        cloud.create_function(session, moto_url, "first")
        direct = session.client("lambda", endpoint_url=moto_url)
        for model in ("second", "fails", "throttled"):
            direct.update_function_configuration(
                FunctionName="classify", Environment={"Variables": {"MODEL_URI": model}}
            )
            direct.publish_version(FunctionName="classify")
        function = VersionedFunction(direct, "classify", "live", Version)
        codedeploy = CodeDeploy(direct, function.failed, function.forget, canary_s=CANARY_S)
        server = make_server("127.0.0.1", 0, create_endpoints(function, codedeploy, moto_url), threaded=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield (
                session.client("lambda", endpoint_url=url, config=boto3.session.Config(retries={"max_attempts": 0})),
                session.client("codedeploy", endpoint_url=url),
                function,
            )
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


def deploy(codedeploy: Any, current: str, target: str) -> str:
    properties = {"Name": "classify", "Alias": "live", "CurrentVersion": current, "TargetVersion": target}
    content = {"version": 0.0, "Resources": [{"it": {"Type": "AWS::Lambda::Function", "Properties": properties}}]}
    made = codedeploy.create_deployment(
        applicationName="classify",
        deploymentGroupName="live",
        revision={"revisionType": "AppSpecContent", "appSpecContent": {"content": json.dumps(content)}},
    )
    return str(made["deploymentId"])


def end_of(codedeploy: Any, deployment_id: str) -> dict[str, Any]:
    while True:
        info: dict[str, Any] = codedeploy.get_deployment(deploymentId=deployment_id)["deploymentInfo"]
        if info["status"] not in ("Created", "InProgress"):
            return info
        threading.Event().wait(0.05)


def test_a_version_is_invoked_as_on_aws(aws: tuple[Any, Any, VersionedFunction]) -> None:
    functions, _, _ = aws
    answer = functions.invoke(FunctionName="classify", Qualifier="2", Payload=b'{"a": 1}')
    assert json.loads(answer["Payload"].read()) == {"statusCode": 200, "body": "2", "event": {"a": 1}}
    failed = functions.invoke(FunctionName="classify", Qualifier="3", Payload=b"{}")
    assert failed["FunctionError"] == "Unhandled"
    assert "as told" in json.loads(failed["Payload"].read())["errorMessage"]
    with pytest.raises(functions.exceptions.TooManyRequestsException):
        functions.invoke(FunctionName="classify", Qualifier="4", Payload=b"{}")
    with pytest.raises(functions.exceptions.ResourceNotFoundException):
        functions.invoke(FunctionName="classify", Qualifier="77", Payload=b"{}")


def test_everything_else_goes_on_to_moto(aws: tuple[Any, Any, VersionedFunction]) -> None:
    functions, codedeploy, _ = aws
    listed = functions.list_versions_by_function(FunctionName="classify")["Versions"]
    assert [version["Version"] for version in listed] == ["$LATEST", "1", "2", "3", "4"]
    assert codedeploy.list_applications()["applications"] == ["classify"]


def test_a_canary_ends_with_all_of_the_traffic(aws: tuple[Any, Any, VersionedFunction]) -> None:
    functions, codedeploy, function = aws
    shift = deploy(codedeploy, "1", "2")
    while codedeploy.get_deployment(deploymentId=shift)["deploymentInfo"]["status"] == "Created":
        threading.Event().wait(0.02)
    assert function.weights() == {"1": 0.9, "2": 0.1}
    assert end_of(codedeploy, shift)["status"] == "Succeeded"
    assert functions.get_alias(FunctionName="classify", Name="live")["FunctionVersion"] == "2"
    assert codedeploy.list_deployments(includeOnlyStatuses=["Succeeded"])["deployments"] == [shift]


def test_a_canary_that_fails_goes_back_and_says_why(aws: tuple[Any, Any, VersionedFunction]) -> None:
    _functions, codedeploy, function = aws
    shift = deploy(codedeploy, "1", "3")
    failed = 0
    while not failed:
        try:
            function.invoke({})
        except FunctionFailedError:
            failed += 1
    info = end_of(codedeploy, shift)
    assert (info["status"], info["errorInformation"]["code"]) == ("Stopped", "ALARM_ACTIVE")
    assert "calls of version 3 failed" in info["errorInformation"]["message"]
    assert function.weights() == {"1": 1.0}


def test_a_group_has_one_deployment_at_a_time_and_one_that_is_stopped_stays_where_it_was(
    aws: tuple[Any, Any, VersionedFunction],
) -> None:
    _functions, codedeploy, function = aws
    shift = deploy(codedeploy, "1", "2")
    with pytest.raises(codedeploy.exceptions.DeploymentLimitExceededException, match="already has an active"):
        deploy(codedeploy, "1", "2")
    assert codedeploy.stop_deployment(deploymentId=shift, autoRollbackEnabled=True)["status"] == "Succeeded"
    assert end_of(codedeploy, shift)["status"] == "Stopped"
    assert function.weights() == {"1": 1.0}
    with pytest.raises(codedeploy.exceptions.DeploymentAlreadyCompletedException):
        codedeploy.stop_deployment(deploymentId=shift)


def test_what_does_not_fit_is_refused(aws: tuple[Any, Any, VersionedFunction]) -> None:
    _, codedeploy, _ = aws
    with pytest.raises(codedeploy.exceptions.DeploymentDoesNotExistException):
        codedeploy.get_deployment(deploymentId="d-NOSUCH")
    with pytest.raises(codedeploy.exceptions.InvalidRevisionException):
        codedeploy.create_deployment(
            applicationName="classify",
            deploymentGroupName="live",
            revision={"revisionType": "AppSpecContent", "appSpecContent": {"content": "{}"}},
        )
    info = end_of(codedeploy, deploy(codedeploy, "2", "3"))
    assert (info["status"], "points to version 1" in info["errorInformation"]["message"]) == ("Failed", True)
