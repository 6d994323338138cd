"""The configuration of a stack: every key, its default and its checks."""

import json
import re
from collections.abc import Mapping
from ipaddress import IPv4Network
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic.alias_generators import to_camel

PROJECT: Final = "skin-lesion-analyzer"

API_TIMEOUT_S: Final = 29  # of the integration; API Gateway allows an HTTP API 30
PAGE_TIMEOUT_S: Final = 30  # for one answer to the page, with all retries
ORIGIN_TIMEOUT_S: Final = 45  # for the page's answer to CloudFront; AWS allows 60 without a request
BALANCER_IDLE_S: Final = 60  # below gunicorn's 75, so that gunicorn is never the first to close a connection
MAX_BATCH: Final = 100  # pictures in one event of the function

# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
RETENTION_DAYS: Final = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 3653)
# Fargate's CPU units, and the memory that each allows: (least, most, step) in MB.
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html
FARGATE_MB: Final = {
    256: (512, 2048, 512),
    512: (1024, 4096, 1024),
    1024: (2048, 8192, 1024),
    2048: (4096, 16384, 1024),
}

_IMAGE: Final = re.compile(
    r"\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/[a-z0-9][a-z0-9._/-]*(@sha256:[0-9a-f]{64}|:[\w][\w.-]{0,127})"
)
_CERTIFICATE: Final = re.compile(r"arn:aws[a-z-]*:acm:([a-z0-9-]+):\d{12}:certificate/[0-9a-f-]+")
# A part of every name, some of which take only 32 characters. Without a hyphen, so that a policy for the names of one
# stack ("lesion-dev-*") matches no other stack.
_STACK: Final = re.compile(r"[a-z][a-z0-9]{0,11}")


class ConfigurationError(Exception):
    """The configuration cannot be deployed. `str(error)` is one sentence with the next step."""


class StackConfig(BaseModel):
    """The whole configuration of one stack; keys are in camelCase, as usual in Pulumi."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel)

    stage: Literal["dev", "prod"] = "dev"
    owns_account: bool = True
    protect_data: bool = True
    extra_tags: dict[str, str] = {}
    log_retention_days: int = 30

    classify_image: str | None = None
    function_memory_mb: Annotated[int, Field(ge=512, le=10_240)] = 1769
    function_timeout_s: Annotated[int, Field(ge=5, le=900)] = 25
    function_reserved_concurrency: Annotated[int | None, Field(ge=1)] = None
    provisioned_concurrency: Annotated[int, Field(ge=0)] = 0
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    api_rate_per_s: Annotated[int, Field(ge=1, le=10_000)] = 20
    api_burst: Annotated[int, Field(ge=1, le=5_000)] = 40
    batch_size: Annotated[int, Field(ge=1, le=MAX_BATCH)] = 50
    batch_concurrency: Annotated[int, Field(ge=1, le=1_000)] = 5
    batch_retention_days: Annotated[int, Field(ge=1, le=3650)] = 30

    page_image: str | None = None
    page_tasks_min: Annotated[int, Field(ge=1, le=100)] = 1
    page_tasks_max: Annotated[int, Field(ge=1, le=100)] = 2
    page_cpu: int = 256
    page_memory_mb: int = 2048
    page_spot: bool = False
    page_insights: bool = True  # metrics of every task, for about nine dollars a month
    page_max_upload_mb: Annotated[int, Field(ge=1, le=100)] = 20
    page_domain: str | None = None
    page_certificate_arn: str | None = None
    origin_certificate_arn: str | None = None
    firewall: bool = False
    firewall_rate: Annotated[int, Field(ge=10, le=2_000_000)] = 500

    vpc_cidr: IPv4Network = IPv4Network("10.20.0.0/16")
    nat_gateways: Annotated[int, Field(ge=0, le=3)] = 0
    training_in_vpc: bool = False

    alarm_email: str | None = None
    monthly_budget_usd: Annotated[int, Field(ge=1)] = 100
    budget_scope: Literal["account", "stack"] = "account"
    latency_alarm_ms: Annotated[int, Field(ge=100, le=29_000)] = 2000
    init_alarm_ms: Annotated[int, Field(ge=1000, le=10_000)] = 8000
    drift_alarm_percent: Annotated[int, Field(ge=1, le=100)] = 20
    no_traffic_hours: Annotated[int, Field(ge=0, le=24)] = 0

    retrain_schedule: str | None = None
    retrain_on_drift: bool = False

    github_repository: Annotated[str | None, Field(pattern=r"^[\w.-]+/[\w.-]+$")] = None
    state_bucket: str | None = None

    @field_validator("classify_image", "page_image")
    @classmethod
    def _check_image(cls, image: str | None) -> str | None:
        if image is not None and not _IMAGE.fullmatch(image):
            raise ValueError(
                f"{image!r} is not an image that can be deployed: push it to the stack's registry and give its full "
                "name with @sha256:... or a tag"
            )
        if image is not None and image.endswith(":latest"):
            raise ValueError("`latest` can be another image every day: give a fixed tag, or @sha256:...")
        return image

    @field_validator("log_retention_days")
    @classmethod
    def _check_retention(cls, days: int) -> int:
        if days not in RETENTION_DAYS:
            raise ValueError(f"CloudWatch keeps logs only for {', '.join(map(str, RETENTION_DAYS))} days")
        return days

    @field_validator("page_cpu")
    @classmethod
    def _check_cpu(cls, units: int) -> int:
        if units not in FARGATE_MB:
            raise ValueError(f"Fargate offers {', '.join(map(str, FARGATE_MB))} CPU units, not {units}")
        return units

    @field_validator("vpc_cidr")
    @classmethod
    def _check_network(cls, cidr: IPv4Network) -> IPv4Network:
        if not 16 <= cidr.prefixlen <= 24 or not cidr.is_private:
            raise ValueError(f"{cidr} is not a private network of /16 to /24: choose one such as 10.20.0.0/16")
        return cidr

    @field_validator("page_domain")
    @classmethod
    def _check_domain(cls, domain: str | None) -> str | None:
        if domain is not None and not re.fullmatch(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}", domain):
            raise ValueError(f"{domain!r} is not a host name: give one such as lesions.example.org")
        return domain

    @field_validator("alarm_email")
    @classmethod
    def _check_email(cls, address: str | None) -> str | None:
        if address is not None and not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s.]+", address):
            raise ValueError(f"{address!r} is not an e-mail address")
        return address

    @field_validator("retrain_schedule")
    @classmethod
    def _check_schedule(cls, schedule: str | None) -> str | None:
        if schedule is not None and not re.fullmatch(r"(rate|cron)\([^()]+\)", schedule):
            raise ValueError(f"{schedule!r} is not a schedule: write rate(30 days) or cron(0 3 1 * ? *)")
        return schedule

    @field_validator("page_certificate_arn", "origin_certificate_arn")
    @classmethod
    def _check_certificate(cls, arn: str | None) -> str | None:
        if arn is not None and not _CERTIFICATE.fullmatch(arn):
            raise ValueError(f"{arn!r} is not the ARN of an ACM certificate")
        return arn

    @model_validator(mode="after")
    def _check_conflicts(self) -> "StackConfig":
        for is_conflict, message in self._conflicts():
            if is_conflict:
                raise ValueError(message)
        return self

    def _conflicts(self) -> list[tuple[bool, str]]:
        """Check the keys against each other: (whether there is a conflict, its error message)."""
        least_mb, most_mb, step_mb = FARGATE_MB[self.page_cpu]
        reserved = self.function_reserved_concurrency
        certificate = _CERTIFICATE.fullmatch(self.page_certificate_arn or "")
        return [
            (
                self.function_timeout_s >= API_TIMEOUT_S,
                f"functionTimeoutS is {self.function_timeout_s}: it must be below the {API_TIMEOUT_S} s that "
                "the API waits, or callers see a 503 while the function still works",
            ),
            (
                self.page_image is not None and self.classify_image is None,
                "pageImage is set and classifyImage is not: the page needs the API, so push the function's "
                "image and set classifyImage first",
            ),
            (
                not (least_mb <= self.page_memory_mb <= most_mb and self.page_memory_mb % step_mb == 0),
                f"pageMemoryMb is {self.page_memory_mb}: with pageCpu {self.page_cpu} Fargate takes "
                f"{least_mb} to {most_mb} in steps of {step_mb}",
            ),
            (
                self.page_tasks_max < self.page_tasks_min,
                f"pageTasksMax is {self.page_tasks_max}: it must be at least pageTasksMin ({self.page_tasks_min})",
            ),
            (
                reserved is not None and self.provisioned_concurrency > reserved,
                f"provisionedConcurrency is {self.provisioned_concurrency}: it must be within "
                f"functionReservedConcurrency ({reserved})",
            ),
            (
                reserved is not None and self.batch_concurrency >= reserved,
                f"batchConcurrency is {self.batch_concurrency}: it must be below functionReservedConcurrency "
                f"({reserved}), so that the API still answers during a batch run",
            ),
            (
                self.training_in_vpc and self.nat_gateways == 0,
                "trainingInVpc needs natGateways of at least 1: a job downloads its packages",
            ),
            (
                (self.page_domain is None) != (self.page_certificate_arn is None),
                "pageDomain and pageCertificateArn go together: set both or none",
            ),
            (
                certificate is not None and certificate[1] != "us-east-1",
                "pageCertificateArn must be a certificate of us-east-1, which CloudFront requires",
            ),
            (
                self.origin_certificate_arn is not None and self.page_domain is None,
                "originCertificateArn is a certificate of pageDomain: set pageDomain too",
            ),
            (
                bool(set(self.extra_tags) & {"Project", "Stack", "Stage", "ManagedBy"}),
                "extraTags may not replace Project, Stack, Stage or ManagedBy",
            ),
            (
                self.stage == "prod" and self.alarm_email is None,
                "a stack with stage prod needs alarmEmail, so that a person gets its alarms",
            ),
            (
                self.stage == "prod" and self.page_tasks_min < 2,
                "a stack with stage prod needs pageTasksMin of at least 2, because a zone can fail",
            ),
            (
                self.stage == "prod" and not self.protect_data,
                "a stack with stage prod keeps its data: leave protectData true",
            ),
        ]


def read_config(stack: str, region: str, values: Mapping[str, str], project: str = PROJECT) -> StackConfig:
    """Read and check a stack's configuration.

    Args:
        stack: its name.
        region: of AWS.
        values: all of Pulumi's configuration as text, by "namespace:key".
        project: the namespace of this program's keys.

    Raises:
        ConfigurationError: the configuration cannot be deployed.
    """
    if not _STACK.fullmatch(stack):
        raise ConfigurationError(
            f"The stack's name {stack!r} does not fit into resource names: use up to 12 of a-z and 0-9, a letter first."
        )
    own = {key.removeprefix(f"{project}:"): value for key, value in values.items() if key.startswith(f"{project}:")}
    try:
        config = StackConfig.model_validate({key: _parse_value(key, text) for key, text in own.items()})
    except ValidationError as error:
        raise ConfigurationError(_error_message(error)) from error
    for key, image in (("classifyImage", config.classify_image), ("pageImage", config.page_image)):
        if image and f".{region}." not in image.split("/")[0]:
            raise ConfigurationError(f"{key} is in another region than the stack ({region}): push it to this region.")
    origin = _CERTIFICATE.fullmatch(config.origin_certificate_arn or "")
    if origin and origin[1] != region:
        raise ConfigurationError(f"originCertificateArn must be a certificate of the stack's region, {region}.")
    return config


def _parse_value(key: str, text: str) -> Any:
    """Parse extraTags, the only object, which Pulumi gives as JSON; pydantic converts all other values."""
    if key != "extraTags":
        return text
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigurationError(
            "extraTags is not an object: set it with `pulumi config set --path extraTags.Owner ...`."
        ) from error


def _error_message(error: ValidationError) -> str:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"There is no configuration key {key}: docs/deploy.md lists all keys."
    message = first["msg"].removeprefix("Value error, ")
    return f"{key}: {message[0].lower()}{message[1:]}." if key and first["type"] != "value_error" else f"{message}."
