"""Roll back: the version that served before serves again, at once."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from contract.errors import DeploymentError
from operations.account import Stack
from operations.registry.packages import ModelPackage, ModelRegistry
from operations.rollout.canary import find_running_shift, previous_version, read_shift, stop_shift
from operations.rollout.function import FunctionVersion, list_versions, point_alias, read_alias

STOP_TIMEOUT_S: Final = 30.0  # CodeDeploy takes some time to end a stopped deployment
POLL_S: Final = 0.5


@dataclass(frozen=True, kw_only=True)
class Rollback:
    """The result of a rollback."""

    left: FunctionVersion  # the version that served before, or was in its canary
    serves: FunctionVersion
    stopped: str | None  # ID of CodeDeploy's deployment, if one was running


def roll_back(stack: Stack, *, by: str, why: str) -> Rollback:
    """Stop a running canary, or return to the version that served before; record who and why.

    It takes no lock, so that it is possible during another user's promotion. After an interruption during a canary,
    the same rollback can be run again and finishes.

    Raises:
        DeploymentError: no earlier version served a model, or AWS refuses.
    """
    versions = list_versions(stack)
    alias, shift = read_alias(stack), find_running_shift(stack)
    if shift is not None:
        left, back = shift.target, shift.current
        stop_shift(stack, shift)
    elif alias.canary:  # a canary was stopped, and its weights stayed
        left, back = next(iter(alias.canary)), alias.version
    else:
        left, back = alias.version, previous_version(stack, alias.version) or ""
        if back not in versions or versions[back].model_uri is None:
            raise DeploymentError(
                f"There is no version to return to: no model served before version {left} of "
                f"{stack.deployment.function_name}. Promote another model."
            )
    point_alias(stack, back)
    if shift is not None:
        _wait_until_stopped(stack, shift.id)
        if read_alias(stack).version != back:  # the canary ended at the same moment, and shifted all traffic
            point_alias(stack, back)
    try:
        _record(stack, versions[left], versions[back], by, why)
    except DeploymentError as error:
        raise DeploymentError(
            f"Version {back} serves again, but the rollback could not be recorded: {error}"
        ) from error
    return Rollback(left=versions[left], serves=versions[back], stopped=shift.id if shift else None)


def _wait_until_stopped(stack: Stack, shift_id: str) -> None:
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while read_shift(stack, shift_id).running and time.monotonic() < deadline:
        time.sleep(POLL_S)


def _record(stack: Stack, left: FunctionVersion, serves: FunctionVersion, by: str, why: str) -> None:
    """Record the rollback in the packages of both versions, if the registry has them."""
    now = datetime.now(UTC)
    registry = ModelRegistry(stack, stack.deployment.model_package_group)
    packages = {package.model_uri: package for package in registry.packages()}
    if left.model_uri != serves.model_uri and (package := _package_of(left, packages)) is not None:
        registry.reject(package, by=by, at=now, why=f"rolled back: {why}")
    if (package := _package_of(serves, packages)) is not None:
        registry.record(package, served_since=f"{now:%Y-%m-%dT%H:%M:%SZ}", returned_by=by)


def _package_of(version: FunctionVersion, packages: dict[str, ModelPackage]) -> ModelPackage | None:
    return packages.get(version.model_uri or "")
