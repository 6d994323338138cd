"""What a training job will be, worked out before anything costs money, and refused where it is unsafe."""

import re
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from contract.errors import DeploymentError
from contract.s3_uri import S3Uri
from operations.deployment import Deployment
from operations.jobs.cost import Cost, estimate
from operations.jobs.environment import BASE
from operations.jobs.follow import JobState
from operations.jobs.settings import GROUP, PUBLISH_TO
from operations.jobs.source import ARCHIVE, Source
from training.config import TrainingConfig

MAX_RUN_S: Final = 5 * 24 * 3600  # SageMaker's own limit, unless a quota was raised
LONGEST_NAME: Final = 63
_NAME: Final = re.compile(r"[a-zA-Z0-9](-?[a-zA-Z0-9])*")

# As the first process of the container; ${...} is for runs elsewhere than under /opt/ml.
ENTRYPOINT: Final = (
    "bash",
    "-c",
    f'cd "${{SAGEMAKER_BASE_DIR:-{BASE}}}" && mkdir -p code && tar -xzf input/data/code/{ARCHIVE} -C code'
    " && cd code && exec python3 -m operations.jobs.start",
)


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What a person asks for; None leaves it to the stack."""

    data_uri: str | None = None  # with HAM10000_metadata.csv and the pictures
    output_uri: str | None = None  # under which each job has a folder of its own
    name: str | None = None
    instance_type: str = "ml.g5.xlarge"
    instances: int = 1
    volume_gb: int = 50
    spot: bool = True
    checkpoints: bool = True
    checkpoints_uri: str | None = None  # of an earlier job, to go on with it
    max_run_s: int = 4 * 3600
    max_wait_s: int | None = None  # from the start of the wait for spot capacity to the end of the job
    budget_usd: float = 10.0
    usd_per_hour: float | None = None
    weights: Path | None = None  # an .npz file on this machine
    weights_uri: str | None = None  # of an earlier job
    config: dict[str, Any] = field(default_factory=dict)  # fields of TrainingConfig that are not left as they are
    tags: dict[str, str] = field(default_factory=dict)
    kms_key: str | None = None
    subnets: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()
    group: str | None = None  # of model packages

    def resuming(self, earlier: JobState) -> "Wishes":
        """Wish to go on with an earlier job: with its checkpoint, and with the run that it was asked for.

        Raises:
            DeploymentError: it still runs, or has kept no checkpoints.
        """
        if not earlier.over:
            raise DeploymentError(
                f"The job {earlier.name} is {earlier.status}, and two jobs would write one checkpoint: stop it first."
            )
        if earlier.checkpoints_uri is None:
            raise DeploymentError(f"The job {earlier.name} has kept no checkpoints: start anew, without --resume.")
        named = {field.name for field in fields(TrainingConfig)}
        run = {name: value for name, value in earlier.hyperparameters.items() if name in named}
        return replace(
            self,
            config=run | self.config,
            checkpoints_uri=earlier.checkpoints_uri,
            weights_uri=None if self.weights or "weights" in self.config else earlier.weights_uri,
        )


@dataclass(frozen=True, kw_only=True)
class Data:
    """What was found in S3."""

    uri: str  # s3://<bucket>/<prefix>/
    images_uri: str  # a prefix
    images: int
    image_bytes: int


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One job, wholly described."""

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
    cost: Cost
    data: Data
    weights: Path | None  # to be uploaded
    weights_uri: str | None  # of the channel
    job_uri: str  # the job's own folder
    checkpoints_uri: str | None
    models_uri: str
    hyperparameters: dict[str, str]
    tags: dict[str, str]
    kms_key: str | None
    subnets: tuple[str, ...]
    security_groups: tuple[str, ...]
    source_sha256: str
    commit: str | None
    changed: bool

    @property
    def group(self) -> str:
        """The model package group."""
        return self.hyperparameters[GROUP]

    @property
    def source_uri(self) -> str:
        """The folder of the source bundle."""
        return f"{self.job_uri}/source/"

    def to_json(self) -> dict[str, Any]:
        """Give all of it, for a program."""
        return {**asdict(self), "weights": str(self.weights) if self.weights else None, "source_uri": self.source_uri}


def make_plan(wishes: Wishes, deployment: Deployment, *, data: Data, image: str, source: Source) -> Plan:
    """Work out a job.

    Args:
        wishes: what was asked for.
        deployment: what the stack tells.
        data: what was found at the data's URI.
        image: the container's.
        source: what it will run.

    Raises:
        DeploymentError: a limit is none, spot has no checkpoints, or the limits allow more than the budget.
    """
    check_limits(wishes)
    cost = estimate(
        instance_type=wishes.instance_type,
        instances=wishes.instances,
        max_run_s=wishes.max_run_s,
        volume_gb=wishes.volume_gb,
        spot=wishes.spot,
        region=deployment.region,
        usd_per_hour=wishes.usd_per_hour,
    )
    if cost.high > wishes.budget_usd:
        fitting = wishes.max_run_s * wishes.budget_usd / cost.high / 3600
        raise DeploymentError(
            f"The job could cost up to ${cost.high:.2f}, which is over the budget of ${wishes.budget_usd:.2f}: limit "
            f"it with --max-hours {int(fitting * 100) / 100:g}, take a cheaper --instance-type, or raise --budget."
        )
    name = wishes.name or name_job(datetime.now(UTC), source)
    models_uri = f"s3://{deployment.models_bucket}"
    job_uri = f"{output_uri_of(wishes, deployment)}/{name}"
    named = (field.name for field in fields(TrainingConfig))
    hyperparameters = {key: _as_text(wishes.config[key]) for key in named if key in wishes.config}
    hyperparameters |= {PUBLISH_TO: models_uri, GROUP: wishes.group or deployment.model_package_group}
    return Plan(
        name=name,
        region=deployment.region,
        role_arn=deployment.training_role_arn,
        image=image,
        instance_type=wishes.instance_type,
        instances=wishes.instances,
        volume_gb=wishes.volume_gb,
        spot=wishes.spot,
        max_run_s=wishes.max_run_s,
        max_wait_s=(wishes.max_wait_s or 2 * wishes.max_run_s) if wishes.spot else None,
        budget_usd=wishes.budget_usd,
        cost=cost,
        data=data,
        weights=wishes.weights,
        weights_uri=f"{job_uri}/weights/" if wishes.weights else wishes.weights_uri,
        job_uri=job_uri,
        checkpoints_uri=(wishes.checkpoints_uri or f"{job_uri}/checkpoints/") if wishes.checkpoints else None,
        models_uri=models_uri,
        hyperparameters=hyperparameters,
        tags={**deployment.tags, **wishes.tags},
        kms_key=wishes.kms_key or deployment.training_kms_key_arn,
        subnets=wishes.subnets or deployment.training_subnets,
        security_groups=wishes.security_groups or deployment.training_security_groups,
        source_sha256=source.sha256,
        commit=source.commit,
        changed=source.changed,
    )


def check_limits(wishes: Wishes) -> None:
    """Refuse, before AWS is asked anything, what no job could be."""
    if wishes.spot and not wishes.checkpoints:
        raise DeploymentError(
            "Spot instances are taken away at any moment, and without checkpoints a job would start from the beginning "
            "each time: keep checkpoints, or pay for --on-demand."
        )
    if not 60 <= wishes.max_run_s <= MAX_RUN_S:
        raise DeploymentError(f"SageMaker runs a job for a minute at least and {MAX_RUN_S // 3600} hours at most.")
    if wishes.max_wait_s is not None and wishes.max_wait_s < wishes.max_run_s:
        raise DeploymentError("--max-wait-hours holds the run itself too: make it at least --max-hours.")
    if wishes.name is not None and (len(wishes.name) > LONGEST_NAME or not _NAME.fullmatch(wishes.name)):
        raise DeploymentError(
            f"{wishes.name!r} is no name for a job: take letters, digits and single hyphens, {LONGEST_NAME} at most."
        )
    if wishes.weights is not None and not wishes.weights.is_file():
        raise DeploymentError(f"There is no file of weights at {wishes.weights}.")
    for uri in (wishes.data_uri, wishes.output_uri, wishes.checkpoints_uri):
        if uri is not None:
            S3Uri.parse(uri)
    TrainingConfig(**wishes.config)


def data_uri_of(wishes: Wishes, deployment: Deployment) -> str:
    """Say where the pictures lie, with a slash at its end."""
    return (wishes.data_uri or f"s3://{deployment.data_bucket}/ham10000").rstrip("/") + "/"


def output_uri_of(wishes: Wishes, deployment: Deployment) -> str:
    """Say under which folder jobs have theirs."""
    return (wishes.output_uri or f"s3://{deployment.data_bucket}/jobs").rstrip("/")


def name_job(now: datetime, source: Source) -> str:
    """Name a job by the second it was planned in and what it runs."""
    return f"lesion-{now:%Y%m%d-%H%M%S}-{source.sha256[:6]}"


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
