"""Roll back: the last good version serves again, at once."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from contract.errors import DeploymentError
from operations.deployment import Deployment
from operations.registry.canary import last_good_version, read_shift, running_shift, stop_shift
from operations.registry.packages import Package, list_packages, record, reject
from operations.registry.serving import FunctionVersion, list_versions, point_alias, read_alias

STOPPING_S: Final = 30.0  # that a stopped deployment may take to end
POLL_S: Final = 0.5


@dataclass(frozen=True, kw_only=True)
class Rollback:
    """What came of it."""

    left: FunctionVersion  # what was served, or on its way to be
    serves: FunctionVersion
    stopped: str | None  # CodeDeploy's deployment, if one was under way


def roll_back(deployment: Deployment, *, by: str, why: str) -> Rollback:
    """Stop a canary that is under way, or else return to the version that served before; record who and why.

    Needs no lock: it must be possible whatever anybody else does. Running it again after an interruption of a canary
    finishes it.

    Raises:
        DeploymentError: no earlier version served a model, or AWS refuses.
    """
    versions = list_versions(deployment)
    alias, shift = read_alias(deployment), running_shift(deployment)
    if shift is not None:
        left, back = shift.target, shift.current
        stop_shift(deployment, shift)
    elif alias.canary:
        left, back = next(iter(alias.canary)), alias.version  # a canary was stopped half way
    else:
        left, back = alias.version, last_good_version(deployment, alias.version) or ""
        if back not in versions or versions[back].model_uri is None:
            raise DeploymentError(
                f"There is no version to return to: none served a model before version {left} of "
                f"{deployment.function_name}. Promote another model."
            )
    point_alias(deployment, back)
    if shift is not None:
        _wait_until_stopped(deployment, shift.id)
        if read_alias(deployment).version != back:  # it was just done, and had shifted everything
            point_alias(deployment, back)
    try:
        _record(deployment, versions[left], versions[back], by, why)
    except DeploymentError as error:
        raise DeploymentError(f"Version {back} serves again, but that could not be written down: {error}") from error
    return Rollback(left=versions[left], serves=versions[back], stopped=shift.id if shift else None)


def _wait_until_stopped(deployment: Deployment, shift_id: str) -> None:
    deadline = time.monotonic() + STOPPING_S
    while read_shift(deployment, shift_id).runs and time.monotonic() < deadline:
        time.sleep(POLL_S)


def _record(deployment: Deployment, left: FunctionVersion, serves: FunctionVersion, by: str, why: str) -> None:
    """Write it down with both packages, as far as they are in the registry; users are served already."""
    now = datetime.now(UTC)
    packages = {
        package.model_uri: package for package in list_packages(deployment.model_package_group, deployment.region)
    }
    if left.model_uri != serves.model_uri and (package := _of(packages, left)) is not None:
        reject(package, by=by, at=now, why=f"rolled back: {why}", region=deployment.region)
    if (package := _of(packages, serves)) is not None:
        record(package, deployment.region, served_since=f"{now:%Y-%m-%dT%H:%M:%SZ}", returned_by=by)


def _of(packages: dict[str, Package], version: FunctionVersion) -> Package | None:
    return packages.get(version.model_uri or "")
