"""Estimates the cost of a stack: a month without visitors, and a thousand predictions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from infra.config import StackConfig

# Numbers of resources that the program creates with any configuration; a test counts them.
KEYS: Final = 1
SECRETS: Final = 1
DASHBOARDS: Final = 1
ALARM_METRICS: Final = 16  # AWS bills an alarm by the metrics that it reads
FIREWALL_RULES: Final = 4

# Assumptions; `lesion cost` prints the important ones.
IMAGES_GB: Final = 1.5  # both container images and their older versions, compressed
STORED_GB: Final = 6.0  # the pictures, and some versions of the model
INSIGHTS_METRICS: Final = 29  # of Container Insights, for one cluster with one service
LOG_BYTES: Final = 4_000  # for one prediction: metrics, the function's log, two access logs
PAGE_REQUESTS: Final = 5  # for one prediction on the page: the form, two files, the picture, the answer
PAGE_BYTES: Final = 120_000  # that CloudFront sends for these requests
BALANCER_UNITS: Final = 0.05  # load balancer capacity units of a page with few visitors


@dataclass(frozen=True, kw_only=True)
class CostLine:
    """One item of a bill."""

    what: str
    quantity: str
    usd: float


@dataclass(frozen=True, kw_only=True)
class StackCost:
    """The items that are not free, in US dollars."""

    idle_month: list[CostLine]
    thousand_predictions: list[CostLine]  # through the page


def estimate_stack_cost(
    config: StackConfig,
    usd: Mapping[str, float],
    *,
    hours_per_month: float,
    fargate_spot_share: float,
    function_ms: float,
) -> StackCost:
    """Estimate what a stack with this configuration costs.

    Args:
        config: of the stack.
        usd: prices in US dollars by name, as in operations/prices.json.
        hours_per_month: that AWS bills.
        fargate_spot_share: the price of spot capacity as a share of the price on demand, in 0..1.
        function_ms: the time that Lambda bills for one warm prediction.
    """
    idle = _idle_month(config, usd, hours_per_month, fargate_spot_share)
    return StackCost(
        idle_month=[line for line in idle if line.usd],
        thousand_predictions=[line for line in _thousand_predictions(config, usd, function_ms) if line.usd],
    )


def _idle_month(config: StackConfig, usd: Mapping[str, float], hours: float, spot_share: float) -> list[CostLine]:
    tasks = config.page_tasks_min
    vcpu, gb = config.page_cpu / 1024, config.page_memory_mb / 1024
    spot = spot_share if config.page_spot else 1.0
    addresses = config.nat_gateways or tasks  # without NAT gateways each task has one
    provisioned_gb = config.provisioned_concurrency * config.function_memory_mb / 1024
    return [
        CostLine(
            what="page: Fargate tasks" + (" on spot capacity" if config.page_spot else ""),
            quantity=f"{tasks} of {vcpu:g} vCPU and {gb:g} GB",
            usd=tasks * hours * spot * (vcpu * usd["fargate_vcpu_hour"] + gb * usd["fargate_gb_hour"]),
        ),
        CostLine(
            what="page: load balancer",
            quantity="1",
            usd=hours * (usd["load_balancer_hour"] + BALANCER_UNITS * usd["load_balancer_unit_hour"]),
        ),
        CostLine(
            what="page: Container Insights",
            quantity=f"about {INSIGHTS_METRICS} metrics" if config.page_insights else "off",
            usd=INSIGHTS_METRICS * usd["metric_month"] if config.page_insights else 0.0,
        ),
        CostLine(what="page: secret", quantity=f"{SECRETS}", usd=SECRETS * usd["secret_month"]),
        CostLine(
            what="page: firewall",
            quantity=f"{FIREWALL_RULES} rules" if config.firewall else "off",
            usd=usd["waf_acl_month"] + FIREWALL_RULES * usd["waf_rule_month"] if config.firewall else 0.0,
        ),
        CostLine(
            what="network: NAT gateways",
            quantity=f"{config.nat_gateways}",
            usd=config.nat_gateways * hours * usd["nat_gateway_hour"],
        ),
        CostLine(
            what="network: public addresses", quantity=f"{addresses}", usd=addresses * hours * usd["public_ipv4_hour"]
        ),
        CostLine(
            what="function: provisioned concurrency",
            quantity=f"{config.provisioned_concurrency} of {config.function_memory_mb:,} MB",
            usd=provisioned_gb * hours * 3600 * usd["lambda_provisioned_gb_s"],
        ),
        CostLine(
            what="monitoring: alarms",
            quantity=f"{ALARM_METRICS} metrics",
            usd=ALARM_METRICS * usd["alarm_metric_month"],
        ),
        CostLine(
            what="monitoring: dashboard",
            quantity=f"{DASHBOARDS}, or free as one of an account's first three",
            usd=DASHBOARDS * usd["dashboard_month"],
        ),
        CostLine(what="encryption: keys", quantity=f"{KEYS}", usd=KEYS * usd["kms_key_month"]),
        CostLine(what="storage: images", quantity=f"{IMAGES_GB:g} GB", usd=IMAGES_GB * usd["ecr_gb_month"]),
        CostLine(what="storage: pictures and models", quantity=f"{STORED_GB:g} GB", usd=STORED_GB * usd["s3_gb_month"]),
    ]


def _thousand_predictions(config: StackConfig, usd: Mapping[str, float], function_ms: float) -> list[CostLine]:
    gb = config.function_memory_mb / 1024
    return [
        CostLine(
            what="function",
            quantity=f"{function_ms:g} ms of {config.function_memory_mb:,} MB each",
            usd=1000 * (function_ms / 1000 * gb * usd["lambda_gb_s"] + usd["lambda_request"]),
        ),
        CostLine(what="API", quantity="1,000 calls", usd=1000 * usd["http_api_request"]),
        CostLine(what="logs", quantity=f"{LOG_BYTES / 1000:g} kB each", usd=1000 * LOG_BYTES / 1e9 * usd["log_gb"]),
        CostLine(what="traces", quantity="1,000, sampled by X-Ray", usd=50 * usd["xray_trace"]),
        CostLine(
            what="CloudFront, after its free million requests and terabyte",
            quantity=f"{PAGE_REQUESTS} requests and {PAGE_BYTES / 1000:g} kB each",
            usd=1000 * (PAGE_REQUESTS * usd["cloudfront_request"] + PAGE_BYTES / 1e9 * usd["cloudfront_gb"]),
        ),
        CostLine(
            what="firewall",
            quantity=f"{PAGE_REQUESTS} requests each",
            usd=1000 * PAGE_REQUESTS * usd["waf_request"] if config.firewall else 0.0,
        ),
    ]
