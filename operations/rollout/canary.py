"""A canary by CodeDeploy: a tenth of the traffic goes to the new version, then all; an alarm rolls it back."""

import hashlib
import json
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from botocore.exceptions import ClientError

from contract.errors import DeploymentError
from operations.account import Stack
from operations.aws_errors import aws_errors

RUNNING: Final = ("Created", "Queued", "InProgress", "Baking", "Ready")  # CodeDeploy's status values
BATCH: Final = 25  # CodeDeploy describes at most this many deployments in one call
FIRST_POLL_S: Final = 0.25
MAX_POLL_S: Final = 5.0
TIMEOUT_S: Final = 3600.0  # a canary takes five minutes


@dataclass(frozen=True, kw_only=True)
class TrafficShift:
    """One CodeDeploy deployment: the alias moves from one version of the function to another."""

    id: str
    status: str
    current: str
    target: str
    description: str
    created_at: datetime
    reason: str | None = None  # why it did not succeed

    @property
    def running(self) -> bool:
        """Whether it is still running."""
        return self.status in RUNNING


def start_shift(stack: Stack, current: str, target: str, description: str) -> TrafficShift:
    """Start to shift the alias from one version to another.

    Raises:
        DeploymentError: another shift is running, or AWS refuses; the alias did not change.
    """
    content = json.dumps(_app_spec(stack, current, target))
    revision = {
        "revisionType": "AppSpecContent",
        "appSpecContent": {"content": content, "sha256": hashlib.sha256(content.encode()).hexdigest()},
    }
    codedeploy = stack.client("codedeploy")
    with aws_errors("starting the canary"):
        try:
            created = codedeploy.create_deployment(
                applicationName=stack.deployment.codedeploy_application,
                deploymentGroupName=stack.deployment.codedeploy_group,
                revision=revision,
                description=description[:1000],
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "DeploymentLimitExceededException":
                raise
            raise DeploymentError(
                "Another promotion is running (CodeDeploy is shifting the alias): `lesion models list` shows it. "
                "Wait until it ends, or stop it with `lesion models rollback`."
            ) from error
    return read_shift(stack, created["deploymentId"])


def read_shift(stack: Stack, shift_id: str) -> TrafficShift:
    """Read the state of a shift.

    Raises:
        DeploymentError: AWS refuses.
    """
    with aws_errors(f"following the deployment {shift_id}"):
        found = stack.client("codedeploy").get_deployment(deploymentId=shift_id)["deploymentInfo"]
    return _traffic_shift(found)


def find_running_shift(stack: Stack) -> TrafficShift | None:
    """Find the shift that is running, if there is one.

    Raises:
        DeploymentError: AWS refuses.
    """
    return next(iter(_list_shifts(stack, RUNNING)), None)


def previous_version(stack: Stack, current: str) -> str | None:
    """Find the version that served before `current`: the source of the last successful shift to `current`.

    Raises:
        DeploymentError: AWS refuses.
    """
    shifts = [shift for shift in _list_shifts(stack, ("Succeeded",)) if shift.target == current]
    return max(shifts, key=lambda shift: shift.created_at).current if shifts else None


def wait_for_shift(stack: Stack, shift: TrafficShift) -> TrafficShift:
    """Wait until a shift has ended, with success or without.

    Raises:
        DeploymentError: AWS refuses, or the shift did not end in time; it continues on AWS.
    """
    deadline, pause_s = time.monotonic() + TIMEOUT_S, FIRST_POLL_S
    while shift.running:
        if time.monotonic() > deadline:
            raise DeploymentError(
                f"The deployment {shift.id} has not ended after {TIMEOUT_S / 60:.0f} minutes, and continues. Look at "
                "it in CodeDeploy, or stop it with `lesion models rollback`."
            )
        time.sleep(pause_s)
        pause_s = min(1.3 * pause_s, MAX_POLL_S)
        shift = read_shift(stack, shift.id)
    return shift


def stop_shift(stack: Stack, shift: TrafficShift) -> None:
    """Stop a shift. The alias keeps the weights of that moment: the caller must point it to one version.

    Raises:
        DeploymentError: AWS refuses.
    """
    codedeploy = stack.client("codedeploy")
    with aws_errors(f"stopping the deployment {shift.id}"):
        try:
            codedeploy.stop_deployment(deploymentId=shift.id, autoRollbackEnabled=False)
        except codedeploy.exceptions.DeploymentAlreadyCompletedException:
            return


def _app_spec(stack: Stack, current: str, target: str) -> dict[str, Any]:
    name = stack.deployment.function_name
    properties = {"Name": name, "Alias": stack.deployment.alias, "CurrentVersion": current, "TargetVersion": target}
    return {"version": 0.0, "Resources": [{name: {"Type": "AWS::Lambda::Function", "Properties": properties}}]}


def _list_shifts(stack: Stack, statuses: tuple[str, ...]) -> list[TrafficShift]:
    """List the shifts with one of these statuses, the newest first, without CodeDeploy's own rollbacks."""
    codedeploy = stack.client("codedeploy")
    with aws_errors("listing the deployments"):
        pages = codedeploy.get_paginator("list_deployments").paginate(
            applicationName=stack.deployment.codedeploy_application,
            deploymentGroupName=stack.deployment.codedeploy_group,
            includeOnlyStatuses=list(statuses),
        )
        ids = [shift_id for page in pages for shift_id in page["deployments"]]
        found = [
            info
            for start in range(0, len(ids), BATCH)
            for info in codedeploy.batch_get_deployments(deploymentIds=ids[start : start + BATCH])["deploymentsInfo"]
        ]
    promotions = [info for info in found if "appSpecContent" in info["revision"] and info.get("creator") == "user"]
    return sorted(map(_traffic_shift, promotions), key=lambda shift: shift.created_at, reverse=True)


def _traffic_shift(info: dict[str, Any]) -> TrafficShift:
    content = json.loads(info["revision"]["appSpecContent"]["content"])
    ((function,),) = (list(resource.values()) for resource in content["Resources"])
    error = info.get("errorInformation") or {}
    return TrafficShift(
        id=info["deploymentId"],
        status=info["status"],
        current=str(function["Properties"]["CurrentVersion"]),
        target=str(function["Properties"]["TargetVersion"]),
        description=info.get("description", ""),
        created_at=info["createTime"],
        reason=f"{error.get('message', '')} ({error['code']})".strip() if error.get("code") else None,
    )
