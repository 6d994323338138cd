"""The dashboard: one page that says whether people are answered, how fast, with what, and at what cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from infra.cloudwatch.sources import HOUR, INIT_TIME, MINUTE, OUTCOMES, SERVICE, Sources

WIDTH, HEIGHT, COLUMNS = 8, 6, 3


@dataclass(frozen=True, kw_only=True)
class DashboardArgs:
    """What is shown."""

    sources: Sources
    alarm_arns: Sequence[pulumi.Input[str]]


class Dashboard(pulumi.ComponentResource):
    """A CloudWatch dashboard; `url` opens it."""

    url: pulumi.Output[str]

    def __init__(self, name: str, args: DashboardArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("analyzer:watching:Dashboard", name, None, opts)
        body = {"widgets": [_alarms(args.alarm_arns), *_placed(widgets(args.sources), args.sources.region)]}
        aws.cloudwatch.Dashboard(
            name,
            dashboard_name=name,
            dashboard_body=pulumi.Output.json_dumps(body),
            opts=pulumi.ResourceOptions(parent=self),
        )
        region = args.sources.region
        self.url = pulumi.Output.from_input(
            f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}#dashboards/dashboard/{name}"
        )
        self.register_outputs({"url": self.url})


def widgets(of: Sources) -> list[tuple[str, list[Any], dict[str, Any]]]:
    """List the charts: a title, CloudWatch's metric rows, and what differs from the usual chart."""
    name, own = of.namespace, ["service", SERVICE]
    api, live = ["ApiId", of.api_id], ["FunctionName", of.function_name]
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
                ["AWS/Lambda", "Throttles", *live, {"stat": "Sum", "label": "turned away"}],
            ],
            {},
        ),
        (
            "How long callers wait, ms",
            [["AWS/ApiGateway", "Latency", *api, {"stat": q, "label": q}] for q in quantiles],
            {},
        ),
        (
            "How long the function takes, ms",
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
                    of.function_name,
                    *own,
                    {"stat": "Sum", "label": "environments started"},
                ],
                [name, INIT_TIME, {"stat": "p95", "label": "init, p95, ms", "yAxis": "right"}],
                [name, "ModelLoadTime", *own, {"stat": "p95", "label": "model, p95, ms", "yAxis": "right"}],
            ],
            {},
        ),
        (
            "What people were told",
            [[name, "Outcomes", "outcome", outcome, *own, {"stat": "Sum", "label": outcome}] for outcome in OUTCOMES],
            {"stacked": True},
        ),
        ("Refusals, by code", [[{"expression": by_code, "id": "codes"}]], {"stacked": True}),
        (
            "Drift",
            [
                [name, "UnfamiliarScore", *own, {"stat": "Average", "label": "how unlike the training pictures"}],
                [name, "UnfamiliarScore", *own, {"stat": "p95", "label": "the same, p95"}],
                [name, "Confidence", *own, {"stat": "Average", "label": "confidence"}],
            ],
            {"period": HOUR},
        ),
        (
            "Training jobs",
            [
                ["AWS/Events", "TriggeredRules", "RuleName", of.failed_jobs_rule, {"stat": "Sum", "label": "failed"}],
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
    return charts + _page_charts(of)


def _page_charts(of: Sources) -> list[tuple[str, list[Any], dict[str, Any]]]:
    if of.page is None:
        return []
    balancer = ["LoadBalancer", of.page.balancer_suffix]
    both = [*balancer, "TargetGroup", of.page.target_group_suffix]
    service = ["ClusterName", of.page.cluster, "ServiceName", of.page.service]
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


def _alarms(arns: Sequence[pulumi.Input[str]]) -> dict[str, Any]:
    properties = {"title": "Alarms", "alarms": list(arns)}
    return {"type": "alarm", "x": 0, "y": 0, "width": WIDTH * COLUMNS, "height": 3, "properties": properties}


def _placed(charts: list[tuple[str, list[Any], dict[str, Any]]], region: str) -> list[dict[str, Any]]:
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
                **different,
            },
        }
        for number, (title, metrics, different) in enumerate(charts)
    ]
