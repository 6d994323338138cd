"""CodeDeploy's shift of the alias: a tenth of the traffic, then all of it, and back if an alarm goes off."""

import hashlib
import json
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from botocore.exceptions import ClientError

from contract.errors import DeploymentError
from operations.aws import client, told
from operations.deployment import Deployment

RUNNING: Final = ("Created", "Queued", "InProgress", "Baking", "Ready")  # CodeDeploy's words
AT_ONCE: Final = 25  # deployments that CodeDeploy describes in one answer
POLLS_S: Final = (0.25, 5.0)  # from one look to the next: at first, and at most
LONGEST_S: Final = 3600.0  # that is waited for; a canary takes five minutes


@dataclass(frozen=True, kw_only=True)
class Shift:
    """One deployment: from a version of the function to another."""

    id: str
    status: str
    current: str
    target: str
    description: str
    created_at: datetime
    reason: str | None = None  # why it did not succeed

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return self.status in RUNNING


def start_shift(deployment: Deployment, current: str, target: str, description: str) -> Shift:
    """Begin to shift the alias.

    Raises:
        DeploymentError: another shift is under way, or AWS refuses; what was served before still is.
    """
    content = json.dumps(_app_spec(deployment, current, target))
    revision = {
        "revisionType": "AppSpecContent",
        "appSpecContent": {"content": content, "sha256": hashlib.sha256(content.encode()).hexdigest()},
    }
    codedeploy = client("codedeploy", deployment.region)
    with told("starting the canary"):
        try:
            created = codedeploy.create_deployment(
                applicationName=deployment.codedeploy_application,
                deploymentGroupName=deployment.codedeploy_group,
                revision=revision,
                description=description[:1000],
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "DeploymentLimitExceededException":
                raise
            raise DeploymentError(
                "Another promotion is under way (CodeDeploy shifts the alias already): `lesion models list` shows it. "
                "Wait until it is done, or end it with `lesion models rollback`."
            ) from error
    return read_shift(deployment, created["deploymentId"])


def read_shift(deployment: Deployment, shift_id: str) -> Shift:
    """Tell how a shift stands.

    Raises:
        DeploymentError: AWS refuses.
    """
    with told(f"following the deployment {shift_id}"):
        found = client("codedeploy", deployment.region).get_deployment(deploymentId=shift_id)["deploymentInfo"]
    return _described(found)


def running_shift(deployment: Deployment) -> Shift | None:
    """Find the shift that is under way, if there is one.

    Raises:
        DeploymentError: AWS refuses.
    """
    return next(iter(_shifts(deployment, RUNNING)), None)


def last_good_version(deployment: Deployment, current: str) -> str | None:
    """Name the version that served before this one, by the last shift to it that succeeded.

    Raises:
        DeploymentError: AWS refuses.
    """
    shifts = [shift for shift in _shifts(deployment, ("Succeeded",)) if shift.target == current]
    return max(shifts, key=lambda shift: shift.created_at).current if shifts else None


def wait_for(deployment: Deployment, shift: Shift) -> Shift:
    """Wait until a shift has ended, well or not.

    Raises:
        DeploymentError: AWS refuses, or it does not end; it goes on by itself.
    """
    deadline, pause_s = time.monotonic() + LONGEST_S, POLLS_S[0]
    while shift.runs:
        if time.monotonic() > deadline:
            raise DeploymentError(
                f"The deployment {shift.id} has not ended after {LONGEST_S / 60:.0f} minutes and goes on by itself: "
                "look at it in CodeDeploy, or end it with `lesion models rollback`."
            )
        time.sleep(pause_s)
        pause_s = min(1.3 * pause_s, POLLS_S[1])
        shift = read_shift(deployment, shift.id)
    return shift


def stop_shift(deployment: Deployment, shift: Shift) -> None:
    """End a shift where it stands; the alias is the caller's to put right.

    Raises:
        DeploymentError: AWS refuses.
    """
    codedeploy = client("codedeploy", deployment.region)
    with told(f"stopping the deployment {shift.id}"):
        try:
            codedeploy.stop_deployment(deploymentId=shift.id, autoRollbackEnabled=False)
        except codedeploy.exceptions.DeploymentAlreadyCompletedException:
            return  # it was faster


def _app_spec(deployment: Deployment, current: str, target: str) -> dict[str, Any]:
    properties = {
        "Name": deployment.function_name,
        "Alias": deployment.alias,
        "CurrentVersion": current,
        "TargetVersion": target,
    }
    return {
        "version": 0.0,
        "Resources": [{deployment.function_name: {"Type": "AWS::Lambda::Function", "Properties": properties}}],
    }


def _shifts(deployment: Deployment, statuses: tuple[str, ...]) -> list[Shift]:
    """List the shifts of the group that stand so, the newest first, without those by which CodeDeploy went back."""
    codedeploy = client("codedeploy", deployment.region)
    with told("listing the deployments"):
        pages = codedeploy.get_paginator("list_deployments").paginate(
            applicationName=deployment.codedeploy_application,
            deploymentGroupName=deployment.codedeploy_group,
            includeOnlyStatuses=list(statuses),
        )
        names = [shift_id for page in pages for shift_id in page["deployments"]]
        found = [
            info
            for start in range(0, len(names), AT_ONCE)
            for info in codedeploy.batch_get_deployments(deploymentIds=names[start : start + AT_ONCE])[
                "deploymentsInfo"
            ]
        ]
    ours = [info for info in found if "appSpecContent" in info["revision"] and info.get("creator") == "user"]
    return sorted(map(_described, ours), key=lambda shift: shift.created_at, reverse=True)


def _described(info: dict[str, Any]) -> Shift:
    content = json.loads(info["revision"]["appSpecContent"]["content"])
    ((resource,),) = (list(of.values()) for of in content["Resources"])
    error = info.get("errorInformation") or {}
    return Shift(
        id=info["deploymentId"],
        status=info["status"],
        current=str(resource["Properties"]["CurrentVersion"]),
        target=str(resource["Properties"]["TargetVersion"]),
        description=info.get("description", ""),
        created_at=info["createTime"],
        reason=f"{error.get('message', '')} ({error['code']})".strip() if error.get("code") else None,
    )
