"""Model packages: what the SageMaker Model Registry keeps of each version, from its registration to its retirement.

A package points to the bundle in S3 and says where it came from; everything else about a model is in the bundle.
"""

import hashlib
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, get_args

from contract.api import HEADLINE_METRICS
from contract.bundle import MANIFEST, Manifest
from contract.errors import DeploymentError
from operations.aws import client, told

Status = Literal["PendingManualApproval", "Approved", "Rejected"]  # SageMaker's words

LONGEST_VALUE: Final = 256  # characters of a metadata property
LONGEST_APPROVAL: Final = 1024  # of an approval's description
_NOT_ALLOWED: Final = re.compile(r"[^\w\s.:/=+@-]")  # in a metadata property
_NAMES_A_VERSION: Final = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{8}")


@dataclass(frozen=True, kw_only=True)
class Package:
    """One version in the registry."""

    arn: str
    number: int  # of the package in its group
    version: str  # of the model
    status: Status
    registered_at: datetime
    properties: dict[str, str] = field(default_factory=dict)  # lineage, metrics, and what became of it
    approval: str | None = None  # who approved or rejected it, when and why

    @property
    def model_uri(self) -> str:
        """Where the bundle lies."""
        return self.properties["model_uri"]


def register(
    manifest: Manifest, model_uri: str, *, group: str, job: str | None = None, region: str | None = None
) -> str:
    """Register a published version as a model package that waits for approval; again, it is the same package.

    Args:
        manifest: of the version.
        model_uri: where it was published, "s3://<bucket>/models/<version>".
        group: the model package group, which must exist.
        job: the training job's name, unless the manifest's own is right.
        region: of the registry.

    Returns:
        the package's ARN.

    Raises:
        DeploymentError: AWS refuses; nothing was registered then.
    """
    if (known := _summary_of(manifest.version, group, region)) is not None:
        return str(known["ModelPackageArn"])
    commit = manifest.training.git_commit
    made_by = job or manifest.training.job
    token = hashlib.sha256(f"{group}/{manifest.version}".encode()).hexdigest()[:32]
    with told(f"registering the model {manifest.version}"):
        created = client("sagemaker", region).create_model_package(
            ModelPackageGroupName=group,
            ModelPackageDescription=f"{manifest.version}: trained on {manifest.data.images} pictures of "
            f"{manifest.data.lesions} lesions ({manifest.data.name}). {manifest.intended_use}"[:1024],
            ModelApprovalStatus="PendingManualApproval",
            SourceUri=model_uri,
            ModelMetrics={
                "ModelQuality": {
                    "Statistics": {"ContentType": "application/json", "S3Uri": f"{model_uri}/{MANIFEST}"},
                }
            },
            MetadataProperties={"GeneratedBy": made_by, **({"CommitId": commit} if commit else {})},
            CustomerMetadataProperties=_properties_of(manifest, model_uri, made_by),
            ClientToken=token,  # two who register it at the same moment make one package
        )
    return str(created["ModelPackageArn"])


def list_packages(group: str, region: str | None = None) -> list[Package]:
    """List every version of a group, the newest registration first.

    Raises:
        DeploymentError: AWS refuses, or there is no such group.
    """
    with told(f"listing the models of {group}"):
        return [_describe(summary["ModelPackageArn"], region) for summary in _summaries(group, region)]


def find_package(version: str, group: str, region: str | None = None) -> Package:
    """Find a version in a group; the first characters of it, or the last, suffice if they name one alone.

    Raises:
        DeploymentError: none or several match, AWS refuses, or there is no such group.
    """
    with told(f"looking for the model {version}"):
        known = {_version_of(summary): summary for summary in _summaries(group, region)}
    matching = [name for name in known if name.startswith(version) or name.endswith(version)] if version else []
    if len(matching) == 1:
        with told(f"reading the model {matching[0]}"):
            return _describe(known[matching[0]]["ModelPackageArn"], region)
    if matching:
        raise DeploymentError(f"{version} may be {' or '.join(sorted(matching))}: name one of them in full.")
    raise DeploymentError(
        f"There is no model {version} in {group}: `lesion models list` shows those there are. A finished training job "
        "registers its model by itself."
    )


def record(package: Package, region: str | None = None, **properties: str) -> Package:
    """Write down what became of a version, beside what is known of it.

    Raises:
        DeploymentError: AWS refuses.
    """
    return _update(package, region, status=package.status, approval=package.approval, properties=properties)


def approve(
    package: Package, *, by: str, at: datetime, why: str, region: str | None = None, **properties: str
) -> Package:
    """Approve a version, and keep who, when and why with it, and what else is to be remembered.

    Raises:
        DeploymentError: AWS refuses.
    """
    properties = {**properties, "approved_by": by, "approved_at": f"{at:%Y-%m-%dT%H:%M:%SZ}"}
    approval = _approval("Approved", by, at, why)
    return _update(package, region, status="Approved", approval=approval, properties=properties)


def reject(package: Package, *, by: str, at: datetime, why: str, region: str | None = None) -> Package:
    """Reject a version, and keep who, when and why with it.

    Raises:
        DeploymentError: AWS refuses.
    """
    properties = {"rejected_by": by, "rejected_at": f"{at:%Y-%m-%dT%H:%M:%SZ}"}
    approval = _approval("Rejected", by, at, why)
    return _update(package, region, status="Rejected", approval=approval, properties=properties)


def _approval(what: str, by: str, at: datetime, why: str) -> str:
    return " ".join(f"{what} by {by} at {at:%Y-%m-%d %H:%M:%S} UTC: {why}".split())[:LONGEST_APPROVAL]


def _update(
    package: Package, region: str | None, *, status: Status, approval: str | None, properties: dict[str, str]
) -> Package:
    """Write a package whole: what is left out of an update, AWS keeps and other servers may not."""
    merged = {**package.properties, **{name: _allowed(value) for name, value in properties.items()}}
    with told(f"recording what became of the model {package.version}"):
        client("sagemaker", region).update_model_package(
            ModelPackageArn=package.arn,
            ModelApprovalStatus=status,
            CustomerMetadataProperties=merged,
            **({"ApprovalDescription": approval} if approval else {}),
        )
        return _describe(package.arn, region)


def _properties_of(manifest: Manifest, model_uri: str, job: str) -> dict[str, str]:
    """Word the lineage and the metrics in the few characters that a metadata property may have."""
    metrics = {name: manifest.metrics[name] for name in HEADLINE_METRICS if name in manifest.metrics}
    return {
        "model_version": manifest.version,
        "model_uri": model_uri,
        "created_at": manifest.created_at.isoformat(),
        "data_name": _allowed(manifest.data.name),
        "data_sha256": manifest.data.sha256,
        "split_sha256": manifest.data.split_sha256,
        "git_commit": manifest.training.git_commit or "unknown",
        "job": _allowed(job),
        "precision": manifest.shipped.precision,
        **{name: f"{of.value:.4f} from {of.low:.4f} to {of.high:.4f}" for name, of in metrics.items()},
    }


def _allowed(value: str) -> str:
    return _NOT_ALLOWED.sub(" ", value)[:LONGEST_VALUE] or "unknown"


def _summaries(group: str, region: str | None) -> list[dict[str, Any]]:
    pages = client("sagemaker", region).get_paginator("list_model_packages")
    found = pages.paginate(
        ModelPackageGroupName=group, ModelPackageType="Versioned", SortBy="CreationTime", SortOrder="Descending"
    )
    return [summary for page in found for summary in page["ModelPackageSummaryList"] if _version_of(summary)]


def _version_of(summary: dict[str, Any]) -> str:
    """Read the model's version, with which the description of every package of ours begins; "" for another's."""
    named = _NAMES_A_VERSION.match(summary.get("ModelPackageDescription", ""))
    return named[0] if named else ""


def _summary_of(version: str, group: str, region: str | None) -> dict[str, Any] | None:
    with told(f"looking for the model {version}"):
        return next((summary for summary in _summaries(group, region) if _version_of(summary) == version), None)


def _describe(arn: str, region: str | None) -> Package:
    found = client("sagemaker", region).describe_model_package(ModelPackageName=arn)
    status = found["ModelApprovalStatus"]
    if status not in get_args(Status):
        raise DeploymentError(f"SageMaker says that {arn} is {status}, which this version does not know: update it.")
    properties = dict(found.get("CustomerMetadataProperties") or {})
    return Package(
        arn=arn,
        number=int(found["ModelPackageVersion"]),
        version=_version_of(found),
        status=status,
        registered_at=found["CreationTime"],
        properties=properties,
        approval=found.get("ApprovalDescription"),
    )
