"""The plan of a training job: its complete description for SageMaker and its price, before anything costs money."""

from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from contract.errors import DeploymentError
from operations.container.environment import BASE
from operations.container.settings import GROUP, PUBLISH_TO
from operations.deployment import Deployment
from operations.jobs.cost import JobCost, estimate_job_cost
from operations.jobs.request import JobRequest
from operations.jobs.source import ARCHIVE, Source
from operations.jobs.training_data import TrainingData
from training.config import TrainingConfig

# The first process of the container. SAGEMAKER_BASE_DIR is for runs elsewhere than under /opt/ml.
ENTRYPOINT: Final = (
    "bash",
    "-c",
    f'cd "${{SAGEMAKER_BASE_DIR:-{BASE}}}" && mkdir -p code && tar -xzf input/data/code/{ARCHIVE} -C code'
    " && cd code && exec python3 -m operations.container.start",
)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A complete description of one job."""

    name: str
    region: str
    role_arn: str
    image: str
    instance_type: str
    instances: int
    volume_gb: int
    spot: bool
    max_run_s: int
    max_wait_s: int | None
    budget_usd: float
    cost: JobCost
    data: TrainingData
    weights: Path | None  # to be uploaded
    weights_uri: str | None  # of the channel
    job_uri: str  # the folder of this job
    checkpoints_uri: str | None
    models_uri: str
    hyperparameters: dict[str, str]
    tags: dict[str, str]
    kms_key: str | None
    subnets: tuple[str, ...]
    security_groups: tuple[str, ...]
    source_sha256: str
    commit: str | None
    changed: bool  # the source has changes that are not committed

    @property
    def group(self) -> str:
        """The model package group."""
        return self.hyperparameters[GROUP]

    @property
    def source_uri(self) -> str:
        """The folder of the source archive."""
        return f"{self.job_uri}/source/"

    def to_json(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        return {**asdict(self), "weights": str(self.weights) if self.weights else None, "source_uri": self.source_uri}


def make_plan(request: JobRequest, deployment: Deployment, *, data: TrainingData, image: str, source: Source) -> Plan:
    """Plan a job.

    Args:
        request: the options.
        deployment: of the stack, which fills in the options that are None.
        data: found at the request's data URI.
        image: URI of the container image.
        source: the code that the job will run.

    Raises:
        DeploymentError: the request cannot be run, is unsafe, or could cost more than its budget.
        InvalidUriError: an S3 URI is not valid.
    """
    request.check()
    cost = estimate_job_cost(request, deployment.region)
    _check_budget(request, cost)
    name = request.name or name_job(datetime.now(UTC), source)
    models_uri = f"s3://{deployment.models_bucket}"
    job_uri = f"{request.output_uri_in(deployment)}/{name}"
    return Plan(
        name=name,
        region=deployment.region,
        role_arn=deployment.training_role_arn,
        image=image,
        instance_type=request.instance_type,
        instances=request.instances,
        volume_gb=request.volume_gb,
        spot=request.spot,
        max_run_s=request.max_run_s,
        max_wait_s=(request.max_wait_s or 2 * request.max_run_s) if request.spot else None,
        budget_usd=request.budget_usd,
        cost=cost,
        data=data,
        weights=request.weights,
        weights_uri=f"{job_uri}/weights/" if request.weights else request.weights_uri,
        job_uri=job_uri,
        checkpoints_uri=(request.checkpoints_uri or f"{job_uri}/checkpoints/") if request.checkpoints else None,
        models_uri=models_uri,
        hyperparameters=_hyperparameters(request, models_uri, request.group or deployment.model_package_group),
        tags={**deployment.tags, **request.tags},
        kms_key=request.kms_key or deployment.training_kms_key_arn,
        subnets=request.subnets or deployment.training_subnets,
        security_groups=request.security_groups or deployment.training_security_groups,
        source_sha256=source.sha256,
        commit=source.commit,
        changed=source.changed,
    )


def name_job(now: datetime, source: Source) -> str:
    """Name a job after the second of its plan and its source."""
    return f"lesion-{now:%Y%m%d-%H%M%S}-{source.sha256[:6]}"


def _check_budget(request: JobRequest, cost: JobCost) -> None:
    if cost.high > request.budget_usd:
        hours = request.max_run_s * request.budget_usd / cost.high / 3600
        raise DeploymentError(
            f"The job could cost up to ${cost.high:.2f}, which is over the budget of ${request.budget_usd:.2f}: limit "
            f"it with --max-hours {int(hours * 100) / 100:g}, take a cheaper --instance-type, or raise --budget."
        )


def _hyperparameters(request: JobRequest, models_uri: str, group: str) -> dict[str, str]:
    """Return the hyperparameters as text: the training configuration, and the target of the model."""
    names = (field.name for field in fields(TrainingConfig))
    config = {name: _as_text(request.config[name]) for name in names if name in request.config}
    return {**config, PUBLISH_TO: models_uri, GROUP: group}


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
