"""A stand-in for CodeDeploy, whose deployments at moto do nothing: it shifts an alias in a canary, and back by itself.

It knows what a promotion asks for, words its answers and refusals as AWS does, and watches at the gateway what
CloudWatch's alarms watch on AWS: whether calls of the new version fail.
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
FAILURES_ALLOWED = 0  # of the new version's calls while it is a canary
WATCH_S = 0.2  # between two looks
RUNNING = ("Created", "InProgress")


class CodeDeployRefusal(Exception):  # noqa: N818  it is AWS's answer and not a fault of ours
    """What AWS would answer with status 400; `code` is the exception's name in its API."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass
class _Deployment:
    """One shift of an alias from a version to another."""

    id: str
    application: str
    group: str
    revision: dict[str, Any]
    description: str
    function: str
    alias: str
    current: str
    target: str
    status: str = "Created"
    created_at: float = field(default_factory=time.time)
    completed_at: float | None = None
    error: dict[str, str] | None = None
    failures_before: int = 0


class CodeDeploy:
    """The deployments of one machine; they live as long as this does."""

    def __init__(
        self,
        lambda_api: Any,
        failed: Callable[[str], int],
        changed: Callable[[], None] = lambda: None,
        *,
        canary_s: float,
    ) -> None:
        """Start to watch.

        Args:
            lambda_api: boto3's client of Lambda.
            failed: counts the failed calls of a version.
            changed: called when an alias was changed.
            canary_s: how long a canary lasts.
        """
        self._api, self._failed, self._changed, self._canary_s = lambda_api, failed, changed, canary_s
        self._lock = threading.Lock()
        self._deployments: dict[str, _Deployment] = {}
        self._operations = {
            "CreateDeployment": self._create,
            "GetDeployment": self._get,
            "BatchGetDeployments": self._batch_get,
            "ListDeployments": self._list,
            "StopDeployment": self._stop,
        }

    def offers(self, operation: str) -> bool:
        """Whether it answers this operation; moto answers the others."""
        return operation in self._operations

    def call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Answer one operation.

        Raises:
            CodeDeployRefusal: as AWS refuses.
        """
        with self._lock:
            return self._operations[operation](request)

    def _create(self, request: dict[str, Any]) -> dict[str, Any]:
        application, group = request["applicationName"], request["deploymentGroupName"]
        for other in self._deployments.values():
            if other.status in RUNNING and (other.application, other.group) == (application, group):
                message = f"The Deployment Group '{group}' already has an active Deployment '{other.id}'"
                raise CodeDeployRefusal("DeploymentLimitExceededException", message)
        properties = _properties_of(request["revision"])
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
        threading.Thread(target=self._shift, args=[deployment], daemon=True).start()
        return {"deploymentId": deployment.id}

    def _get(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"deploymentInfo": _described(self._known(request))}

    def _batch_get(self, request: dict[str, Any]) -> dict[str, Any]:
        known = [self._deployments[name] for name in request["deploymentIds"] if name in self._deployments]
        return {"deploymentsInfo": [_described(deployment) for deployment in known]}

    def _list(self, request: dict[str, Any]) -> dict[str, Any]:
        statuses = request.get("includeOnlyStatuses")
        found = [
            deployment.id
            for deployment in sorted(self._deployments.values(), key=lambda of: -of.created_at)
            if request.get("applicationName") in (None, deployment.application)
            and request.get("deploymentGroupName") in (None, deployment.group)
            and (not statuses or deployment.status in statuses)
        ]
        return {"deployments": found}

    def _stop(self, request: dict[str, Any]) -> dict[str, Any]:
        deployment = self._known(request)
        if deployment.status not in RUNNING:
            message = f"The deployment {deployment.id} has already completed."
            raise CodeDeployRefusal("DeploymentAlreadyCompletedException", message)
        self._end(deployment, "Stopped")
        if request.get("autoRollbackEnabled"):
            self._point(deployment, deployment.current, {})
        return {"status": "Succeeded", "statusMessage": "The deployment was stopped."}

    def _known(self, request: dict[str, Any]) -> _Deployment:
        if (deployment := self._deployments.get(request["deploymentId"])) is None:
            message = f"The deployment {request['deploymentId']} could not be found"
            raise CodeDeployRefusal("DeploymentDoesNotExistException", message)
        return deployment

    def _shift(self, deployment: _Deployment) -> None:
        """Send a share of the traffic to the target, watch it, then all of it; back, if its calls fail."""
        try:
            with self._lock:
                if deployment.status == "Created":
                    self._begin(deployment)
            ends = time.monotonic() + self._canary_s
            while deployment.status == "InProgress":
                with self._lock:
                    if deployment.status == "InProgress":
                        self._look(deployment, over=time.monotonic() >= ends)
                time.sleep(WATCH_S)
        except Exception as error:  # a thread has nobody else to tell
            print(f"deployment {deployment.id}: {error}", file=sys.stderr, flush=True)  # noqa: T201
            with self._lock:
                self._end(deployment, "Failed", "INTERNAL_ERROR", str(error))

    def _begin(self, deployment: _Deployment) -> None:
        alias = self._api.get_alias(FunctionName=deployment.function, Name=deployment.alias)
        if alias["FunctionVersion"] != deployment.current:
            message = f"The alias points to version {alias['FunctionVersion']} and not to {deployment.current}."
            self._end(deployment, "Failed", "INVALID_LAMBDA_CONFIGURATION", message)
            return
        deployment.failures_before = self._failed(deployment.target)
        deployment.status = "InProgress"
        self._point(deployment, deployment.current, {deployment.target: CANARY_SHARE})

    def _look(self, deployment: _Deployment, *, over: bool) -> None:
        failures = self._failed(deployment.target) - deployment.failures_before
        if failures > FAILURES_ALLOWED:
            self._point(deployment, deployment.current, {})
            message = f"{failures} calls of version {deployment.target} failed."
            self._end(deployment, "Stopped", "ALARM_ACTIVE", message)
        elif over:
            self._point(deployment, deployment.target, {})
            self._end(deployment, "Succeeded")

    def _point(self, deployment: _Deployment, version: str, others: dict[str, float]) -> None:
        self._api.update_alias(
            FunctionName=deployment.function,
            Name=deployment.alias,
            FunctionVersion=version,
            RoutingConfig={"AdditionalVersionWeights": others},
        )
        self._changed()

    def _end(self, deployment: _Deployment, status: str, code: str = "", message: str = "") -> None:
        deployment.status, deployment.completed_at = status, time.time()
        deployment.error = {"code": code, "message": message} if code else None


def _properties_of(revision: dict[str, Any]) -> dict[str, str]:
    """Read which function, alias and versions a revision is about.

    Raises:
        CodeDeployRefusal: it is not one for Lambda.
    """
    try:
        content = json.loads(revision["appSpecContent"]["content"])
        (resource,) = content["Resources"]
        (described,) = resource.values()
        wanted = ("Name", "Alias", "CurrentVersion", "TargetVersion")
        return {name: str(described["Properties"][name]) for name in wanted}
    except (KeyError, ValueError, TypeError) as error:
        raise CodeDeployRefusal("InvalidRevisionException", f"The revision is not valid: {error!r}") from error


def _described(deployment: _Deployment) -> dict[str, Any]:
    """Word a deployment as CodeDeploy does."""
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
