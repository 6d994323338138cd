"""What a stack costs: a month in which nobody comes, and a thousand predictions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from infra.config import StackConfig

# What the program makes of each, whatever its configuration; a test counts them in the program.
KEYS: Final = 1
SECRETS: Final = 1
DASHBOARDS: Final = 1
ALARM_METRICS: Final = 16  # an alarm is paid by the metrics that it reads
FIREWALL_RULES: Final = 4
BALANCER_ZONES: Final = 2  # a load balancer has an address in each, private here and so free

# Assumptions; `lesion cost` prints those that decide.
IMAGES_GB: Final = 1.5  # of both images and their predecessors, compressed
STORED_GB: Final = 6.0  # the pictures, and a few versions of the model
INSIGHTS_METRICS: Final = 29  # that Container Insights keeps of one cluster with one service
LOG_BYTES: Final = 4_000  # of one prediction: metrics, the function's log, two access logs
PAGE_REQUESTS: Final = 5  # of one prediction on the page: the form, two files, the picture, the answer
PAGE_BYTES: Final = 120_000  # that CloudFront hands out with them
BALANCER_UNITS: Final = 0.05  # load balancer capacity units of a page that few open


@dataclass(frozen=True, kw_only=True)
class Line:
    """One thing that is paid for."""

    what: str
    quantity: str
    usd: float


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """All of it, in US dollars."""

    idle_month: list[Line]
    per_thousand: list[Line]  # predictions through the page


def estimate(
    config: StackConfig,
    usd: Mapping[str, float],
    *,
    hours_per_month: float,
    fargate_spot_share: float,
    function_ms: float,
) -> Estimate:
    """Work out what a stack of this configuration costs.

    Args:
        config: of the stack.
        usd: prices, by the names that the code below takes.
        hours_per_month: that are paid.
        fargate_spot_share: of the price on demand.
        function_ms: what Lambda bills for one warm prediction.
    """
    idle = _idle_month(config, usd, hours_per_month, fargate_spot_share)
    return Estimate(
        idle_month=[line for line in idle if line.usd],
        per_thousand=[line for line in _per_thousand(config, usd, function_ms) if line.usd],
    )


def _idle_month(config: StackConfig, usd: Mapping[str, float], hours: float, spot_share: float) -> list[Line]:
    tasks = config.page_tasks_min
    vcpu, gb = config.page_cpu / 1024, config.page_memory_mb / 1024
    spot = spot_share if config.page_spot else 1.0
    addresses = config.nat_gateways or tasks  # without NAT gateways each task has one of its own
    provisioned_gb = config.provisioned_concurrency * config.function_memory_mb / 1024
    return [
        Line(
            what="page: Fargate tasks" + (" on spot capacity" if config.page_spot else ""),
            quantity=f"{tasks} of {vcpu:g} vCPU and {gb:g} GB",
            usd=tasks * hours * spot * (vcpu * usd["fargate_vcpu_hour"] + gb * usd["fargate_gb_hour"]),
        ),
        Line(
            what="page: load balancer",
            quantity="1",
            usd=hours * (usd["load_balancer_hour"] + BALANCER_UNITS * usd["load_balancer_unit_hour"]),
        ),
        Line(
            what="page: Container Insights",
            quantity=f"about {INSIGHTS_METRICS} metrics" if config.page_insights else "off",
            usd=INSIGHTS_METRICS * usd["metric_month"] if config.page_insights else 0.0,
        ),
        Line(what="page: secret", quantity=f"{SECRETS}", usd=SECRETS * usd["secret_month"]),
        Line(
            what="page: firewall",
            quantity=f"{FIREWALL_RULES} rules" if config.firewall else "off",
            usd=usd["waf_acl_month"] + FIREWALL_RULES * usd["waf_rule_month"] if config.firewall else 0.0,
        ),
        Line(
            what="network: NAT gateways",
            quantity=f"{config.nat_gateways}",
            usd=config.nat_gateways * hours * usd["nat_gateway_hour"],
        ),
        Line(
            what="network: public addresses", quantity=f"{addresses}", usd=addresses * hours * usd["public_ipv4_hour"]
        ),
        Line(
            what="function: provisioned concurrency",
            quantity=f"{config.provisioned_concurrency} of {config.function_memory_mb:,} MB",
            usd=provisioned_gb * hours * 3600 * usd["lambda_provisioned_gb_s"],
        ),
        Line(
            what="watching: alarms",
            quantity=f"{ALARM_METRICS} metrics watched",
            usd=ALARM_METRICS * usd["alarm_metric_month"],
        ),
        Line(
            what="watching: dashboard",
            quantity=f"{DASHBOARDS}, or free as one of an account's first three",
            usd=DASHBOARDS * usd["dashboard_month"],
        ),
        Line(what="encryption: keys", quantity=f"{KEYS}", usd=KEYS * usd["kms_key_month"]),
        Line(what="storage: images", quantity=f"{IMAGES_GB:g} GB", usd=IMAGES_GB * usd["ecr_gb_month"]),
        Line(what="storage: pictures and models", quantity=f"{STORED_GB:g} GB", usd=STORED_GB * usd["s3_gb_month"]),
    ]


def _per_thousand(config: StackConfig, usd: Mapping[str, float], function_ms: float) -> list[Line]:
    gb = config.function_memory_mb / 1024
    return [
        Line(
            what="function",
            quantity=f"{function_ms:g} ms of {config.function_memory_mb:,} MB each",
            usd=1000 * (function_ms / 1000 * gb * usd["lambda_gb_s"] + usd["lambda_request"]),
        ),
        Line(what="API", quantity="1,000 calls", usd=1000 * usd["http_api_request"]),
        Line(what="logs", quantity=f"{LOG_BYTES / 1000:g} kB each", usd=1000 * LOG_BYTES / 1e9 * usd["log_gb"]),
        Line(what="traces", quantity="1,000, sampled by X-Ray", usd=50 * usd["xray_trace"]),
        Line(
            what="CloudFront, after its free million requests and terabyte",
            quantity=f"{PAGE_REQUESTS} requests and {PAGE_BYTES / 1000:g} kB each",
            usd=1000 * (PAGE_REQUESTS * usd["cloudfront_request"] + PAGE_BYTES / 1e9 * usd["cloudfront_gb"]),
        ),
        Line(
            what="firewall",
            quantity=f"{PAGE_REQUESTS} requests each",
            usd=1000 * PAGE_REQUESTS * usd["waf_request"] if config.firewall else 0.0,
        ),
    ]
