"""A request for a training job: the options of the user, checked before any call to AWS."""

import re
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from contract.errors import DeploymentError
from contract.s3_uri import S3Uri
from operations.deployment import Deployment
from training.config import TrainingConfig

if TYPE_CHECKING:
    from operations.jobs.job import JobState  # needs boto3, which `lesion cost` does without

MAX_RUN_S: Final = 5 * 24 * 3600  # SageMaker's limit, unless a quota was raised
MAX_NAME: Final = 63  # characters
_NAME: Final = re.compile(r"[a-zA-Z0-9](-?[a-zA-Z0-9])*")


@dataclass(frozen=True, kw_only=True)
class JobRequest:
    """The options of a job. None leaves the choice to the stack."""

    data_uri: str | None = None  # with HAM10000_metadata.csv and the pictures
    output_uri: str | None = None  # each job gets a folder here
    name: str | None = None
    instance_type: str = "ml.g5.xlarge"
    instances: int = 1
    volume_gb: int = 50
    spot: bool = True
    checkpoints: bool = True
    checkpoints_uri: str | None = None  # of an earlier job, to resume it
    max_run_s: int = 4 * 3600
    max_wait_s: int | None = None  # for spot capacity and the run together
    budget_usd: float = 10.0
    usd_per_hour: float | None = None
    weights: Path | None = None  # an .npz file on this machine
    weights_uri: str | None = None  # of an earlier job
    config: dict[str, Any] = field(default_factory=dict)  # fields of TrainingConfig that differ from their defaults
    tags: dict[str, str] = field(default_factory=dict)
    kms_key: str | None = None
    subnets: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()
    group: str | None = None  # of model packages

    def check(self) -> None:
        """Refuse a job that cannot run or is unsafe.

        Raises:
            DeploymentError: a limit, the name or the weights cannot be used, or spot capacity has no checkpoints.
            InvalidUriError: an S3 URI is not valid.
            ValueError: the training configuration is not valid.
        """
        if self.spot and not self.checkpoints:
            raise DeploymentError(
                "Spot instances can be interrupted at any moment, and without checkpoints the job would start from the "
                "beginning each time: keep checkpoints, or pay for --on-demand."
            )
        if not 60 <= self.max_run_s <= MAX_RUN_S:
            raise DeploymentError(f"--max-hours must be between a minute and SageMaker's {MAX_RUN_S // 3600} hours.")
        if self.max_wait_s is not None and self.max_wait_s < self.max_run_s:
            raise DeploymentError("--max-wait-hours includes the run itself: make it at least --max-hours.")
        if self.name is not None and (len(self.name) > MAX_NAME or not _NAME.fullmatch(self.name)):
            raise DeploymentError(
                f"{self.name!r} cannot be the name of a job: use at most {MAX_NAME} letters, digits and single hyphens."
            )
        if self.weights is not None and not self.weights.is_file():
            raise DeploymentError(f"There is no weights file {self.weights}.")
        for uri in (self.data_uri, self.output_uri, self.checkpoints_uri):
            if uri is not None:
                S3Uri.parse(uri)
        TrainingConfig(**self.config)

    def resume(self, earlier: "JobState") -> "JobRequest":
        """Request to continue an earlier job: with its checkpoint and its training configuration.

        Raises:
            DeploymentError: the job is still running, or has no checkpoints.
        """
        if not earlier.has_ended:
            raise DeploymentError(
                f"The job {earlier.name} is {earlier.status}, and two jobs cannot write to one checkpoint: stop it "
                "first."
            )
        if earlier.checkpoints_uri is None:
            raise DeploymentError(f"The job {earlier.name} has no checkpoints: start a new job, without --resume.")
        names = {field.name for field in fields(TrainingConfig)}
        config = {name: value for name, value in earlier.hyperparameters.items() if name in names}
        return replace(
            self,
            config=config | self.config,
            checkpoints_uri=earlier.checkpoints_uri,
            weights_uri=None if self.weights or "weights" in self.config else earlier.weights_uri,
        )

    def data_uri_in(self, deployment: Deployment) -> str:
        """The prefix of the pictures, with a slash at its end."""
        return (self.data_uri or f"s3://{deployment.data_bucket}/ham10000").rstrip("/") + "/"

    def output_uri_in(self, deployment: Deployment) -> str:
        """The prefix of the jobs' folders, without a slash at its end."""
        return (self.output_uri or f"s3://{deployment.data_bucket}/jobs").rstrip("/")
