"""A replacement for CodeDeploy, because moto's deployments never progress: canary deployments of a Lambda alias.

It implements the operations that a promotion needs, with AWS's responses and errors. On AWS, CloudWatch alarms watch
whether calls of the new version fail; here, the gateway's count of failed calls does.
"""

import json
import sys
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

CANARY_SHARE = 0.1  # of the traffic, as in CodeDeployDefault.LambdaCanary10Percent5Minutes
MAX_FAILURES = 0  # of the new version's calls during the canary
CHECK_EVERY_S = 0.2
ACTIVE = ("Created", "InProgress")


class CodeDeployError(Exception):
    """An error response with status 400; `code` is the exception's name in CodeDeploy's API."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass
class _Deployment:
    """One shift of an alias from one version to another."""

    id: str
    application: str
    group: str
    revision: dict[str, Any]
    description: str
    function: str
    alias: str
    current: str  # version
    target: str  # version
    status: str = "Created"
    created_at: float = field(default_factory=time.time)
    completed_at: float | None = None
    error: dict[str, str] | None = None
    failures_before: int = 0


class CodeDeploy:
    """The deployments of the local stack, kept in memory."""

    def __init__(
        self,
        lambda_client: Any,
        count_failures: Callable[[str], int],
        on_alias_change: Callable[[], None],
        *,
        canary_s: float,
    ) -> None:
        """Start without deployments.

        Args:
            lambda_client: boto3's client of Lambda.
            count_failures: returns the number of failed calls of a version.
            on_alias_change: called after each update of an alias.
            canary_s: duration of a canary.
        """
        self._client, self._count_failures, self._on_alias_change = lambda_client, count_failures, on_alias_change
        self._canary_s = canary_s
        self._lock = threading.Lock()
        self._deployments: dict[str, _Deployment] = {}
        self._operations = {
            "CreateDeployment": self._create,
            "GetDeployment": self._get,
            "BatchGetDeployments": self._batch_get,
            "ListDeployments": self._list,
            "StopDeployment": self._stop,
        }

    def implements(self, operation: str) -> bool:
        """Whether the operation is implemented here; moto handles the others."""
        return operation in self._operations

    def call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Execute one operation and return its response.

        Raises:
            CodeDeployError: in the cases in which AWS responds with an error.
        """
        with self._lock:
            return self._operations[operation](request)

    def _create(self, request: dict[str, Any]) -> dict[str, Any]:
        application, group = request["applicationName"], request["deploymentGroupName"]
        for other in self._deployments.values():
            if other.status in ACTIVE and (other.application, other.group) == (application, group):
                message = f"The Deployment Group '{group}' already has an active Deployment '{other.id}'"
                raise CodeDeployError("DeploymentLimitExceededException", message)
        properties = _parse_revision(request["revision"])
        deployment = _Deployment(
            id=f"d-{uuid.uuid4().hex[:9].upper()}",
            application=application,
            group=group,
            revision=request["revision"],
            description=request.get("description", ""),
            function=properties["Name"],
            alias=properties["Alias"],
            current=properties["CurrentVersion"],
            target=properties["TargetVersion"],
        )
        self._deployments[deployment.id] = deployment
        threading.Thread(target=self._run, args=[deployment], daemon=True).start()
        return {"deploymentId": deployment.id}

    def _get(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"deploymentInfo": _deployment_info(self._find(request))}

    def _batch_get(self, request: dict[str, Any]) -> dict[str, Any]:
        found = [self._deployments[name] for name in request["deploymentIds"] if name in self._deployments]
        return {"deploymentsInfo": [_deployment_info(deployment) for deployment in found]}

    def _list(self, request: dict[str, Any]) -> dict[str, Any]:
        statuses = request.get("includeOnlyStatuses")
        found = [
            deployment.id
            for deployment in sorted(self._deployments.values(), key=lambda one: -one.created_at)
            if request.get("applicationName") in (None, deployment.application)
            and request.get("deploymentGroupName") in (None, deployment.group)
            and (not statuses or deployment.status in statuses)
        ]
        return {"deployments": found}

    def _stop(self, request: dict[str, Any]) -> dict[str, Any]:
        deployment = self._find(request)
        if deployment.status not in ACTIVE:
            message = f"The deployment {deployment.id} has already completed."
            raise CodeDeployError("DeploymentAlreadyCompletedException", message)
        self._end(deployment, "Stopped")
        if request.get("autoRollbackEnabled"):
            self._update_alias(deployment, deployment.current, {})
        return {"status": "Succeeded", "statusMessage": "The deployment was stopped."}

    def _find(self, request: dict[str, Any]) -> _Deployment:
        if (deployment := self._deployments.get(request["deploymentId"])) is None:
            message = f"The deployment {request['deploymentId']} could not be found"
            raise CodeDeployError("DeploymentDoesNotExistException", message)
        return deployment

    def _run(self, deployment: _Deployment) -> None:
        """Send a share of the traffic to the target, then all of it; roll back if the target's calls fail."""
        try:
            with self._lock:
                if deployment.status == "Created":
                    self._begin(deployment)
            canary_end = time.monotonic() + self._canary_s
            while deployment.status == "InProgress":
                with self._lock:
                    if deployment.status == "InProgress":
                        self._check(deployment, canary_over=time.monotonic() >= canary_end)
                time.sleep(CHECK_EVERY_S)
        except Exception as error:  # a thread has no caller to raise to
            print(f"deployment {deployment.id}: {error}", file=sys.stderr, flush=True)  # noqa: T201
            with self._lock:
                self._end(deployment, "Failed", "INTERNAL_ERROR", str(error))

    def _begin(self, deployment: _Deployment) -> None:
        alias = self._client.get_alias(FunctionName=deployment.function, Name=deployment.alias)
        if alias["FunctionVersion"] != deployment.current:
            message = f"The alias points to version {alias['FunctionVersion']} and not to {deployment.current}."
            self._end(deployment, "Failed", "INVALID_LAMBDA_CONFIGURATION", message)
            return
        deployment.failures_before = self._count_failures(deployment.target)
        deployment.status = "InProgress"
        self._update_alias(deployment, deployment.current, {deployment.target: CANARY_SHARE})

    def _check(self, deployment: _Deployment, *, canary_over: bool) -> None:
        failures = self._count_failures(deployment.target) - deployment.failures_before
        if failures > MAX_FAILURES:
            self._update_alias(deployment, deployment.current, {})
            message = f"{failures} calls of version {deployment.target} failed."
            self._end(deployment, "Stopped", "ALARM_ACTIVE", message)
        elif canary_over:
            self._update_alias(deployment, deployment.target, {})
            self._end(deployment, "Succeeded")

    def _update_alias(self, deployment: _Deployment, version: str, other_weights: dict[str, float]) -> None:
        self._client.update_alias(
            FunctionName=deployment.function,
            Name=deployment.alias,
            FunctionVersion=version,
            RoutingConfig={"AdditionalVersionWeights": other_weights},
        )
        self._on_alias_change()

    def _end(self, deployment: _Deployment, status: str, code: str = "", message: str = "") -> None:
        deployment.status, deployment.completed_at = status, time.time()
        deployment.error = {"code": code, "message": message} if code else None


def _parse_revision(revision: dict[str, Any]) -> dict[str, str]:
    """Read the function, the alias and the versions from a revision.

    Raises:
        CodeDeployError: the revision is not one of a Lambda function.
    """
    try:
        content = json.loads(revision["appSpecContent"]["content"])
        (resource,) = content["Resources"]
        (function,) = resource.values()
        names = ("Name", "Alias", "CurrentVersion", "TargetVersion")
        return {name: str(function["Properties"][name]) for name in names}
    except (KeyError, ValueError, TypeError) as error:
        raise CodeDeployError("InvalidRevisionException", f"The revision is not valid: {error!r}") from error


def _deployment_info(deployment: _Deployment) -> dict[str, Any]:
    """Return CodeDeploy's DeploymentInfo."""
    info = {
        "deploymentId": deployment.id,
        "applicationName": deployment.application,
        "deploymentGroupName": deployment.group,
        "status": deployment.status,
        "description": deployment.description,
        "revision": deployment.revision,
        "createTime": deployment.created_at,
        "computePlatform": "Lambda",
        "creator": "user",
    }
    if deployment.completed_at is not None:
        info["completeTime"] = deployment.completed_at
    return info | ({"errorInformation": deployment.error} if deployment.error else {})
