"""The dashboard: traffic, errors, latency, outcomes, drift, training jobs and cost on one page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from infra.cloudwatch.metrics import HOUR, INIT_TIME, MINUTE, OUTCOMES, SERVICE, MonitoredParts

WIDTH, HEIGHT, COLUMNS = 8, 6, 3


@dataclass(frozen=True, kw_only=True)
class DashboardArgs:
    """What the dashboard shows."""

    parts: MonitoredParts
    alarm_arns: Sequence[pulumi.Input[str]]


class Dashboard(pulumi.ComponentResource):
    """A CloudWatch dashboard; `url` opens it."""

    url: pulumi.Output[str]

    def __init__(self, name: str, args: DashboardArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("analyzer:watching:Dashboard", name, None, opts)
        body = {"widgets": [_alarm_widget(args.alarm_arns), *_chart_widgets(_charts(args.parts), args.parts.region)]}
        aws.cloudwatch.Dashboard(
            name,
            dashboard_name=name,
            dashboard_body=pulumi.Output.json_dumps(body),
            opts=pulumi.ResourceOptions(parent=self),
        )
        region = args.parts.region
        self.url = pulumi.Output.from_input(
            f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}#dashboards/dashboard/{name}"
        )
        self.register_outputs({"url": self.url})


def _charts(parts: MonitoredParts) -> list[tuple[str, list[Any], dict[str, Any]]]:
    """List the charts: the title, CloudWatch's metric rows, and properties that differ from the usual ones."""
    name, own = parts.namespace, ["service", SERVICE]
    api, live = ["ApiId", parts.api_id], ["FunctionName", parts.function_name]
    quantiles = ("p50", "p95", "p99")
    by_code = f"SEARCH('{{{name},service,code}} MetricName=\"Refusals\"', 'Sum', {5 * MINUTE})"
    jobs = "SEARCH('{/aws/sagemaker/TrainingJobs,Host} CPUUtilization', 'Average', 300)"
    charts: list[tuple[str, list[Any], dict[str, Any]]] = [
        (
            "Traffic",
            [
                ["AWS/ApiGateway", "Count", *api, {"stat": "Sum", "label": "calls"}],
                [name, "Predictions", *own, {"stat": "Sum", "label": "pictures answered"}],
            ],
            {},
        ),
        (
            "Errors",
            [
                ["AWS/ApiGateway", "5xx", *api, {"stat": "Sum"}],
                ["AWS/ApiGateway", "4xx", *api, {"stat": "Sum"}],
                ["AWS/Lambda", "Errors", *live, {"stat": "Sum", "label": "crashes"}],
                ["AWS/Lambda", "Throttles", *live, {"stat": "Sum", "label": "throttled calls"}],
            ],
            {},
        ),
        (
            "API latency, ms",
            [["AWS/ApiGateway", "Latency", *api, {"stat": q, "label": q}] for q in quantiles],
            {},
        ),
        (
            "Function duration, ms",
            [[name, "TotalTime", *own, {"stat": q, "label": q}] for q in quantiles],
            {},
        ),
        (
            "Cold starts",
            [
                [
                    name,
                    "ColdStart",
                    "function_name",
                    parts.function_name,
                    *own,
                    {"stat": "Sum", "label": "environments started"},
                ],
                [name, INIT_TIME, {"stat": "p95", "label": "init, p95, ms", "yAxis": "right"}],
                [name, "ModelLoadTime", *own, {"stat": "p95", "label": "model, p95, ms", "yAxis": "right"}],
            ],
            {},
        ),
        (
            "Outcomes",
            [[name, "Outcomes", "outcome", outcome, *own, {"stat": "Sum", "label": outcome}] for outcome in OUTCOMES],
            {"stacked": True},
        ),
        ("Refusals, by code", [[{"expression": by_code, "id": "codes"}]], {"stacked": True}),
        (
            "Drift",
            [
                [name, "UnfamiliarScore", *own, {"stat": "Average", "label": "unfamiliar score"}],
                [name, "UnfamiliarScore", *own, {"stat": "p95", "label": "unfamiliar score, p95"}],
                [name, "Confidence", *own, {"stat": "Average", "label": "confidence"}],
            ],
            {"period": HOUR},
        ),
        (
            "Training jobs",
            [
                [
                    "AWS/Events",
                    "TriggeredRules",
                    "RuleName",
                    parts.failed_jobs_rule,
                    {"stat": "Sum", "label": "failed"},
                ],
                [{"expression": jobs, "id": "jobs", "yAxis": "right"}],
            ],
            {"period": HOUR},
        ),
        (
            "Cost of the account this month, USD",
            [["AWS/Billing", "EstimatedCharges", "Currency", "USD", {"stat": "Maximum"}]],
            {"region": "us-east-1", "period": 6 * HOUR},
        ),
    ]
    return charts + _page_charts(parts)


def _page_charts(parts: MonitoredParts) -> list[tuple[str, list[Any], dict[str, Any]]]:
    if parts.page is None:
        return []
    balancer = ["LoadBalancer", parts.page.balancer_suffix]
    both = [*balancer, "TargetGroup", parts.page.target_group_suffix]
    service = ["ClusterName", parts.page.cluster, "ServiceName", parts.page.service]
    elb = "AWS/ApplicationELB"
    return [
        (
            "The page",
            [
                [elb, "RequestCount", *balancer, {"stat": "Sum", "label": "requests"}],
                [elb, "TargetResponseTime", *both, {"stat": "p95", "label": "answer, p95, s", "yAxis": "right"}],
            ],
            {},
        ),
        (
            "The page's tasks",
            [
                [elb, "HealthyHostCount", *both, {"stat": "Minimum", "label": "healthy"}],
                ["AWS/ECS", "CPUUtilization", *service, {"stat": "Average", "label": "CPU, %", "yAxis": "right"}],
                ["AWS/ECS", "MemoryUtilization", *service, {"stat": "Average", "label": "memory, %", "yAxis": "right"}],
            ],
            {},
        ),
    ]


def _alarm_widget(arns: Sequence[pulumi.Input[str]]) -> dict[str, Any]:
    properties = {"title": "Alarms", "alarms": list(arns)}
    return {"type": "alarm", "x": 0, "y": 0, "width": WIDTH * COLUMNS, "height": 3, "properties": properties}


def _chart_widgets(charts: list[tuple[str, list[Any], dict[str, Any]]], region: str) -> list[dict[str, Any]]:
    return [
        {
            "type": "metric",
            "x": WIDTH * (number % COLUMNS),
            "y": 3 + HEIGHT * (number // COLUMNS),
            "width": WIDTH,
            "height": HEIGHT,
            "properties": {
                "title": title,
                "metrics": metrics,
                "view": "timeSeries",
                "region": region,
                "period": 5 * MINUTE,
                **properties,
            },
        }
        for number, (title, metrics, properties) in enumerate(charts)
    ]
