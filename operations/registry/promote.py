"""Promote: bring a version that passes its gates to all users, step by step, so that any step may be the last.

Until the canary nobody is served by the new version, and the canary goes back by itself. Each step asks AWS whether it
was done already: running a promotion again finishes it.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

from contract.bundle import Manifest, read_bundle
from contract.errors import DatasetError, DeploymentError
from operations.comparison.compare import Labelled, compare
from operations.deployment import Deployment
from operations.registry.bundles import fetch_bundle
from operations.registry.canary import Shift, running_shift, start_shift, wait_for
from operations.registry.check import check_version
from operations.registry.lock import promotion_lock
from operations.registry.packages import Package, approve, find_package, record, reject
from operations.registry.serving import FunctionVersion, list_versions, publish_version, read_alias
from training.progress import Say

PASSED: Final = "passed every gate"


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked for, and by whom."""

    version: str  # of the model, or enough of it
    by: str
    why: str = ""
    force: bool = False  # whatever the gates say; never what the golden pictures say
    wait: bool = True  # until the canary has ended


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """What came of it."""

    version: str
    function_version: str
    outcome: Literal["serves", "canary"]
    deployment_id: str | None = None  # CodeDeploy's, if the alias had to be shifted


def promote(
    request: Request, deployment: Deployment, *, cache: Path, on: Labelled | None = None, say: Say = lambda _: None
) -> Promotion:
    """Promote a version.

    Args:
        request: which, by whom, and why.
        deployment: the stack.
        cache: where bundles are kept.
        on: pictures to compare on, or None for the held-out ones that both bundles know.
        say: called with a line as each step is done.

    Raises:
        DeploymentError: the version does not pass, the canary went back, somebody else promotes, or AWS refuses. What
            was served before still is.
        BundleError: the bundle is not whole, or not one that this code serves.
    """
    package = find_package(request.version, deployment.model_package_group, deployment.region)
    with promotion_lock(deployment.models_bucket, by=request.by, version=package.version, region=deployment.region):
        say(f"{request.by} holds the lock of promotions")
        if (shift := _under_way(package, deployment)) is not None:
            say(f"the canary {shift.id} is under way already")
        else:
            shift, package = _begin(package, deployment, request, cache, on, say)
    if shift is None:
        version = read_alias(deployment).version
        say(f"version {version} serves already")
        return Promotion(version=package.version, function_version=version, outcome="serves")
    return _follow(shift, package, deployment, request, say)


def _begin(
    package: Package, deployment: Deployment, request: Request, cache: Path, on: Labelled | None, say: Say
) -> tuple[Shift | None, Package]:
    """Do everything up to the start of the canary; there is none if the version serves already."""
    bundle = fetch_bundle(package.model_uri, cache, region=deployment.region, fresh=True)
    manifest = read_bundle(bundle)
    say(f"verified {package.model_uri}: {len(manifest.files)} files")
    verdict = _hold_against_gates(package, bundle, deployment, request, cache, on)
    say(verdict)
    current = _settled_version(deployment)
    published = publish_version(deployment, package.model_uri)
    say(f"published version {published.number} of {deployment.function_name}")
    _check(deployment, published, bundle, manifest, request, say)
    package = _approve(package, request, verdict, published, deployment)
    say(f"approved by {request.by}")
    if current == published.number:
        return None, package
    shift = start_shift(deployment, current, published.number, f"{package.version}, promoted by {request.by}")
    say(f"started the canary {shift.id}: from version {current} to version {published.number}")
    return shift, package


def _settled_version(deployment: Deployment) -> str:
    """Name the version that serves.

    Raises:
        DeploymentError: the alias was left between two.
    """
    alias = read_alias(deployment)
    if alias.canary:
        raise DeploymentError(
            f"A canary was stopped half way: version {', '.join(alias.canary)} still gets some of the traffic. End it "
            "with `lesion models rollback`, and promote again."
        )
    return alias.version


def _under_way(package: Package, deployment: Deployment) -> Shift | None:
    """Find a running canary of this very version.

    Raises:
        DeploymentError: one of another version runs.
    """
    shift = running_shift(deployment)
    if shift is None:
        return None
    target = list_versions(deployment).get(shift.target)
    if target is not None and target.model_uri == package.model_uri:
        return shift
    raise DeploymentError(
        f"Another promotion is under way ({shift.description}, {shift.id}): wait until it is done, or end it with "
        "`lesion models rollback`."
    )


def _hold_against_gates(
    package: Package, bundle: Path, deployment: Deployment, request: Request, cache: Path, on: Labelled | None
) -> str:
    """Say why the version may go on.

    Raises:
        DeploymentError: it may not.
    """
    if request.force:
        return f"forced, whatever the gates say: {request.why}"
    if package.status == "Rejected":
        raise DeploymentError(
            f"The model {package.version} is not to go out again ({package.approval}): promote another, or this one "
            "with --force --why."
        )
    serving = list_versions(deployment).get(read_alias(deployment).version)
    if serving is None or serving.model_uri is None:
        return "no model serves yet that it could be compared with"
    if serving.model_uri == package.model_uri:
        return "the same model serves already: nothing to compare"
    champion = fetch_bundle(serving.model_uri, cache, region=deployment.region)
    try:
        comparison = compare(bundle, champion, on)
    except DatasetError as error:
        raise DeploymentError(f"{str(error).rstrip('.')}, or promote it with --force --why.") from error
    if not comparison.passed:
        failed = "; ".join(f"{of.gate}: {of.sentence}" for of in comparison.rulings if not of.passed)
        raise DeploymentError(
            f"The model {package.version} does not pass beside {comparison.champion.version} ({failed}). Promote "
            "another, or this one with --force --why."
        )
    return f"{PASSED} beside {comparison.champion.version}"


def _check(
    deployment: Deployment,
    published: FunctionVersion,
    bundle: Path,
    manifest: Manifest,
    request: Request,
    say: Say,
) -> None:
    pictures = check_version(deployment, published.number, bundle, manifest)
    if pictures:
        say(f"version {published.number} answered {pictures} golden pictures right")
    elif request.force:
        say(f"version {published.number} answers with this model; the bundle has no golden pictures to ask about")
    else:
        raise DeploymentError(
            f"The model {manifest.version} was made before bundles had golden pictures, so that its answers cannot be "
            "checked: train it anew, or promote it with --force --why."
        )


def _approve(
    package: Package, request: Request, verdict: str, published: FunctionVersion, deployment: Deployment
) -> Package:
    """Write down who, when and why; again, for the same version of the function, it stays as it is."""
    if package.status == "Approved" and package.properties.get("function_version") == published.number:
        return package
    why = ". ".join(filter(None, (verdict[0].upper() + verdict[1:], "" if request.force else request.why)))
    return approve(
        package,
        by=request.by,
        at=datetime.now(UTC),
        why=why,
        region=deployment.region,
        function_version=published.number,
    )


def _follow(shift: Shift, package: Package, deployment: Deployment, request: Request, say: Say) -> Promotion:
    if not request.wait:
        return Promotion(
            version=package.version, function_version=shift.target, outcome="canary", deployment_id=shift.id
        )
    ended = wait_for(deployment, shift)
    if ended.status != "Succeeded":
        reason = ended.reason or f"it was {ended.status.lower()}"
        now = datetime.now(UTC)
        reject(package, by="CodeDeploy", at=now, why=f"the canary went back: {reason}", region=deployment.region)
        raise DeploymentError(
            f"The canary of {package.version} went back by itself: {reason.rstrip('.')}. Version "
            f"{read_alias(deployment).version} serves, as before; the log of version {shift.target} says why."
        )
    record(package, deployment.region, served_since=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}")
    say(f"version {shift.target} serves all traffic")
    return Promotion(version=package.version, function_version=shift.target, outcome="serves", deployment_id=shift.id)
