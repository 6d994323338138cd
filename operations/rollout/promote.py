"""Promote a version of the model: compare it, publish it in the function, check it, and shift the traffic to it.

A promotion may stop after any step: the new version gets no traffic before the canary, and CodeDeploy rolls a failed
canary back. Each step asks AWS whether it is already done, so the same promotion can be run again and finishes.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from contract.bundle import Manifest, read_bundle
from contract.errors import DatasetError, DeploymentError
from operations.account import Stack
from operations.comparison.compare import ComparisonPictures, compare
from operations.registry.fetch import fetch_bundle
from operations.registry.packages import ModelPackage, ModelRegistry
from operations.rollout.canary import TrafficShift, find_running_shift, start_shift, wait_for_shift
from operations.rollout.check import check_version
from operations.rollout.function import (
    FunctionVersion,
    list_versions,
    publish_version,
    read_alias,
    serving_model_uri,
)
from operations.rollout.lock import promotion_lock
from training.progress import Log, ignore_line


@dataclass(frozen=True, kw_only=True)
class PromotionRequest:
    """The version to promote, and how."""

    version: str  # of the model, or the start or end of its name
    by: str  # ARN of the user
    why: str = ""
    force: bool = False  # skip the gates; the golden pictures are still checked
    wait: bool = True  # until the canary has ended


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """The result of a promotion."""

    version: str
    function_version: str
    outcome: Literal["serves", "canary"]
    deployment_id: str | None = None  # CodeDeploy's; None if the version served already


def promote(
    request: PromotionRequest,
    stack: Stack,
    *,
    cache: Path,
    pictures: ComparisonPictures | None = None,
    log: Log = ignore_line,
) -> Promotion:
    """Promote a version.

    Args:
        request: which version, which user, and why.
        stack: where.
        cache: the folder of downloaded bundles.
        pictures: to compare on; None compares on the test pictures of both bundles.
        log: called with a line after each step.

    Raises:
        DeploymentError: the version does not pass, the canary was rolled back, another promotion is running, or AWS
            refuses. The version that served before still serves.
        BundleError: the bundle is incomplete, or this code cannot serve it.
    """
    registry = ModelRegistry(stack, stack.deployment.model_package_group)
    package = registry.find(request.version)
    with promotion_lock(stack, stack.deployment.models_bucket, by=request.by, version=package.version):
        log(f"{request.by} holds the promotion lock")
        shift = _find_running_canary(stack, package)
        if shift is not None:
            log(f"the canary {shift.id} is already running")
        else:
            bundle = fetch_bundle(package.model_uri, cache, stack, fresh=True)
            manifest = read_bundle(bundle)
            log(f"verified {package.model_uri}: {len(manifest.files)} files")

            verdict = _apply_gates(request, stack, package, bundle, cache, pictures)
            log(verdict)

            current = _current_version(stack)
            published = publish_version(stack, package.model_uri)
            log(f"published version {published.number} of {stack.deployment.function_name}")
            log(_check_golden_pictures(request, stack, published, bundle, manifest))

            package = _approve(request, registry, package, verdict, published)
            log(f"approved by {request.by}")

            if current == published.number:
                log(f"version {current} already serves")
                return Promotion(version=package.version, function_version=current, outcome="serves")
            shift = start_shift(stack, current, published.number, f"{package.version}, promoted by {request.by}")
            log(f"started the canary {shift.id}: from version {current} to version {published.number}")

    if request.wait:
        _wait_for_canary(stack, shift, registry, package)
        log(f"version {shift.target} serves all traffic")
    return Promotion(
        version=package.version,
        function_version=shift.target,
        outcome="serves" if request.wait else "canary",
        deployment_id=shift.id,
    )


def _find_running_canary(stack: Stack, package: ModelPackage) -> TrafficShift | None:
    """Find the running canary of this version, left by an interrupted promotion.

    Raises:
        DeploymentError: a canary of another version is running.
    """
    shift = find_running_shift(stack)
    if shift is None:
        return None
    target = list_versions(stack).get(shift.target)
    if target is not None and target.model_uri == package.model_uri:
        return shift
    raise DeploymentError(
        f"Another promotion is running ({shift.description}, {shift.id}): wait until it ends, or stop it with "
        "`lesion models rollback`."
    )


def _apply_gates(
    request: PromotionRequest,
    stack: Stack,
    package: ModelPackage,
    bundle: Path,
    cache: Path,
    pictures: ComparisonPictures | None,
) -> str:
    """Compare the version with the one that serves.

    Returns:
        why it may replace that one.

    Raises:
        DeploymentError: it may not.
    """
    if request.force:
        return f"forced without the gates: {request.why}"
    if package.status == "Rejected":
        raise DeploymentError(
            f"The model {package.version} is rejected ({package.approval}): promote another, or this one with --force "
            "--why."
        )
    champion_uri = serving_model_uri(stack)
    if champion_uri is None:
        return "no model serves yet to compare it with"
    if champion_uri == package.model_uri:
        return "the same model already serves: nothing to compare"
    champion = fetch_bundle(champion_uri, cache, stack)
    try:
        comparison = compare(bundle, champion, pictures)
    except DatasetError as error:
        raise DeploymentError(f"{str(error).rstrip('.')}, or promote it with --force --why.") from error
    if not comparison.passed:
        failed = "; ".join(f"{gate.gate}: {gate.sentence}" for gate in comparison.gates if not gate.passed)
        raise DeploymentError(
            f"The model {package.version} does not pass against {comparison.champion.version} ({failed}). Promote "
            "another, or this one with --force --why."
        )
    return f"passed every gate against {comparison.champion.version}"


def _current_version(stack: Stack) -> str:
    """Find the one version of the function that serves.

    Raises:
        DeploymentError: the traffic is split between two versions.
    """
    alias = read_alias(stack)
    if alias.canary:
        raise DeploymentError(
            f"An earlier canary was stopped and version {', '.join(alias.canary)} still gets some of the traffic. Run "
            "`lesion models rollback`, and promote again."
        )
    return alias.version


def _check_golden_pictures(
    request: PromotionRequest, stack: Stack, published: FunctionVersion, bundle: Path, manifest: Manifest
) -> str:
    """Check that the published version classifies the golden pictures as the bundle records; return a line about it."""
    pictures = check_version(stack, published.number, bundle, manifest)
    if pictures:
        return f"version {published.number} classified {pictures} golden pictures as the bundle records"
    if request.force:
        return f"version {published.number} serves this model; its bundle has no golden pictures to check"
    raise DeploymentError(
        f"The model {manifest.version} was made before bundles had golden pictures, so its predictions cannot be "
        "checked: train it again, or promote it with --force --why."
    )


def _approve(
    request: PromotionRequest,
    registry: ModelRegistry,
    package: ModelPackage,
    verdict: str,
    published: FunctionVersion,
) -> ModelPackage:
    """Record who approves, when and why, unless an interrupted promotion of this version has already done so."""
    if package.status == "Approved" and package.properties.get("function_version") == published.number:
        return package
    why = ". ".join(filter(None, (verdict[0].upper() + verdict[1:], "" if request.force else request.why)))
    return registry.approve(package, by=request.by, at=datetime.now(UTC), why=why, function_version=published.number)


def _wait_for_canary(stack: Stack, shift: TrafficShift, registry: ModelRegistry, package: ModelPackage) -> None:
    """Wait for the end of the canary, and record it.

    Raises:
        DeploymentError: it was rolled back.
    """
    ended = wait_for_shift(stack, shift)
    now = datetime.now(UTC)
    if ended.status != "Succeeded":
        reason = ended.reason or f"it was {ended.status.lower()}"
        registry.reject(package, by="CodeDeploy", at=now, why=f"the canary was rolled back: {reason}")
        raise DeploymentError(
            f"The canary of {package.version} was rolled back: {reason.rstrip('.')}. Version "
            f"{read_alias(stack).version} serves, as before; the log of version {shift.target} has the reason."
        )
    registry.record(package, served_since=f"{now:%Y-%m-%dT%H:%M:%SZ}")
