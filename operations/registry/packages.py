"""Model packages: the record of each version in the SageMaker Model Registry, from registration to rejection.

A package has the S3 URI of the bundle, its origin, its approval and its time of service. Everything else about a model
is in the bundle.
"""

import hashlib
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, get_args

from contract.api import HEADLINE_METRICS
from contract.bundle import MANIFEST, Manifest
from contract.errors import DeploymentError
from operations.account import Account
from operations.aws_errors import aws_errors
from operations.registry.version_name import VERSION

Status = Literal["PendingManualApproval", "Approved", "Rejected"]  # SageMaker's values

MAX_PROPERTY: Final = 256  # characters of a metadata property
MAX_APPROVAL: Final = 1024  # characters of an approval's description
_NOT_ALLOWED: Final = re.compile(r"[^\w\s.:/=+@-]")  # in a metadata property


@dataclass(frozen=True, kw_only=True)
class ModelPackage:
    """One version in the registry."""

    arn: str
    number: int  # of the package in its group
    version: str  # of the model
    status: Status
    registered_at: datetime
    properties: dict[str, str] = field(default_factory=dict)  # lineage, metrics and service
    approval: str | None = None  # who approved or rejected it, when and why

    @property
    def model_uri(self) -> str:
        """The S3 URI of the bundle."""
        return self.properties["model_uri"]


@dataclass(frozen=True)
class ModelRegistry:
    """The versions of the model: one model package group."""

    account: Account
    group: str  # an existing model package group

    def register(self, manifest: Manifest, model_uri: str, *, job: str | None = None) -> str:
        """Register a published version as a package that waits for approval. Twice gives the same package.

        Args:
            manifest: of the version.
            model_uri: where it was published, "s3://<bucket>/models/<version>".
            job: the name of the training job; None takes the one in the manifest.

        Returns:
            the ARN of the package.

        Raises:
            DeploymentError: AWS refuses; nothing was registered.
        """
        with aws_errors(f"looking for the model {manifest.version}"):
            for summary in self._summaries():
                if _version_of(summary) == manifest.version:
                    return str(summary["ModelPackageArn"])
        commit = manifest.training.git_commit
        made_by = job or manifest.training.job
        with aws_errors(f"registering the model {manifest.version}"):
            created = self.account.client("sagemaker").create_model_package(
                ModelPackageGroupName=self.group,
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
                CustomerMetadataProperties=_lineage(manifest, model_uri, made_by),
                # the same for all users that register this version at the same moment: AWS makes one package of them
                ClientToken=hashlib.sha256(f"{self.group}/{manifest.version}".encode()).hexdigest()[:32],
            )
        return str(created["ModelPackageArn"])

    def packages(self) -> list[ModelPackage]:
        """List every version, the newest registration first.

        Raises:
            DeploymentError: AWS refuses, or there is no such group.
        """
        with aws_errors(f"listing the models of {self.group}"):
            return [self._describe(summary["ModelPackageArn"]) for summary in self._summaries()]

    def find(self, version: str) -> ModelPackage:
        """Find a version by its name, or by the first or last characters of its name if no other version has them.

        Raises:
            DeploymentError: no version or several match, AWS refuses, or there is no such group.
        """
        with aws_errors(f"looking for the model {version}"):
            arns = {_version_of(summary): summary["ModelPackageArn"] for summary in self._summaries()}
        matching = [name for name in arns if name.startswith(version) or name.endswith(version)] if version else []
        if len(matching) == 1:
            with aws_errors(f"reading the model {matching[0]}"):
                return self._describe(arns[matching[0]])
        if matching:
            raise DeploymentError(f"{version} can be {' or '.join(sorted(matching))}: name one of them in full.")
        raise DeploymentError(
            f"There is no model {version} in {self.group}: `lesion models list` shows all. A finished training job "
            "registers its model itself."
        )

    def record(self, package: ModelPackage, **properties: str) -> ModelPackage:
        """Add properties to a package.

        Raises:
            DeploymentError: AWS refuses.
        """
        return self._update(package, status=package.status, approval=package.approval, properties=properties)

    def approve(self, package: ModelPackage, *, by: str, at: datetime, why: str, **properties: str) -> ModelPackage:
        """Approve a package; record who, when and why, and other properties.

        Raises:
            DeploymentError: AWS refuses.
        """
        properties = {**properties, "approved_by": by, "approved_at": f"{at:%Y-%m-%dT%H:%M:%SZ}"}
        approval = _describe_approval("Approved", by, at, why)
        return self._update(package, status="Approved", approval=approval, properties=properties)

    def reject(self, package: ModelPackage, *, by: str, at: datetime, why: str) -> ModelPackage:
        """Reject a package; record who, when and why.

        Raises:
            DeploymentError: AWS refuses.
        """
        properties = {"rejected_by": by, "rejected_at": f"{at:%Y-%m-%dT%H:%M:%SZ}"}
        approval = _describe_approval("Rejected", by, at, why)
        return self._update(package, status="Rejected", approval=approval, properties=properties)

    def _update(
        self, package: ModelPackage, *, status: Status, approval: str | None, properties: dict[str, str]
    ) -> ModelPackage:
        """Write every field: AWS keeps the fields that an update leaves out, but moto drops them."""
        merged = {**package.properties, **{name: _as_property(value) for name, value in properties.items()}}
        with aws_errors(f"updating the record of the model {package.version}"):
            self.account.client("sagemaker").update_model_package(
                ModelPackageArn=package.arn,
                ModelApprovalStatus=status,
                CustomerMetadataProperties=merged,
                **({"ApprovalDescription": approval} if approval else {}),
            )
            return self._describe(package.arn)

    def _summaries(self) -> list[dict[str, Any]]:
        pages = self.account.client("sagemaker").get_paginator("list_model_packages")
        found = pages.paginate(
            ModelPackageGroupName=self.group,
            ModelPackageType="Versioned",
            SortBy="CreationTime",
            SortOrder="Descending",
        )
        return [summary for page in found for summary in page["ModelPackageSummaryList"] if _version_of(summary)]

    def _describe(self, arn: str) -> ModelPackage:
        found = self.account.client("sagemaker").describe_model_package(ModelPackageName=arn)
        status = found["ModelApprovalStatus"]
        if status not in get_args(Status):
            raise DeploymentError(f"{arn} has the status {status}, which this version does not know: update it.")
        return ModelPackage(
            arn=arn,
            number=int(found["ModelPackageVersion"]),
            version=_version_of(found),
            status=status,
            registered_at=found["CreationTime"],
            properties=dict(found.get("CustomerMetadataProperties") or {}),
            approval=found.get("ApprovalDescription"),
        )


def _describe_approval(decision: str, by: str, at: datetime, why: str) -> str:
    return " ".join(f"{decision} by {by} at {at:%Y-%m-%d %H:%M:%S} UTC: {why}".split())[:MAX_APPROVAL]


def _lineage(manifest: Manifest, model_uri: str, job: str) -> dict[str, str]:
    """Return the origin and the metrics of a version as metadata properties."""
    metrics = {name: manifest.metrics[name] for name in HEADLINE_METRICS if name in manifest.metrics}
    return {
        "model_version": manifest.version,
        "model_uri": model_uri,
        "created_at": manifest.created_at.isoformat(),
        "data_name": _as_property(manifest.data.name),
        "data_sha256": manifest.data.sha256,
        "split_sha256": manifest.data.split_sha256,
        "git_commit": manifest.training.git_commit or "unknown",
        "job": _as_property(job),
        "precision": manifest.shipped.precision,
        **{name: f"{metric.value:.4f} from {metric.low:.4f} to {metric.high:.4f}" for name, metric in metrics.items()},
    }


def _as_property(value: str) -> str:
    """Replace the characters that SageMaker does not allow in a metadata property, and shorten it."""
    return _NOT_ALLOWED.sub(" ", value)[:MAX_PROPERTY] or "unknown"


def _version_of(package: dict[str, Any]) -> str:
    """Read the model's version from the start of a package's description; "" if this project did not register it."""
    named = VERSION.match(package.get("ModelPackageDescription", ""))
    return named[0] if named else ""
