"""The alarms: each says in a sentence what is wrong, for whoever reads it at night."""

from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from infra.cloudwatch.sources import DAY, HOUR, INIT_TIME, MINUTE, SERVICE, Dimensions, Sources, expression, query

FEWEST_FOR_DRIFT = 20  # pictures in a day; the share of fewer says nothing
LOAD_FAILURES = (  # why a model may not load, by the function's own codes
    ("no-model", "model_unavailable", "There is no model, or it cannot be fetched: the function answers 503."),
    ("invalid-bundle", "invalid_bundle", "A model was refused, and never served; a new version is taken back."),
)
# What takes a new version back. Not `no-model` and not `errors`: they are on while there is no model yet, and the first
# promotion must get through; a promotion asks the new version itself before it shifts a single call.
CANARY = ("crashes", "invalid-bundle")


@dataclass(frozen=True, kw_only=True)
class AlarmsArgs:
    """What is watched, who is told, and from where on."""

    topic_arn: pulumi.Input[str]
    sources: Sources
    latency_ms: int
    init_ms: int
    drift_percent: int
    no_traffic_hours: int


class Alarms(pulumi.ComponentResource):
    """All alarms of a stack, by name in `all`; `canary` are those that take a new version back."""

    all: dict[str, aws.cloudwatch.MetricAlarm]
    canary: list[pulumi.Output[str]]

    def __init__(self, name: str, args: AlarmsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("analyzer:watching:Alarms", name, None, opts)
        self._name, self._args = name, args
        self.all = {}
        self._watch_api()
        self._watch_function()
        self._watch_model()
        if args.sources.page:
            self._watch_page()
        self.canary = [self.all[key].name for key in CANARY]
        self.register_outputs({"alarms": [alarm.name for alarm in self.all.values()]})

    def _watch_api(self) -> None:
        api, latency_ms, hours = self._args.sources.api, self._args.latency_ms, self._args.no_traffic_hours
        self._alarm(
            "errors",
            "More than 1% of the API's calls failed, for 5 minutes.",
            metric_queries=[
                query("failed", "AWS/ApiGateway", "5xx", api, "Sum", MINUTE),
                query("calls", "AWS/ApiGateway", "Count", api, "Sum", MINUTE),
                expression("IF(calls > 0, 100 * failed / calls, 0)", "failed, %"),
            ],
            threshold=1,
            evaluation_periods=5,
        )
        self._alarm(
            "latency",
            f"One call in twenty waits more than {latency_ms} ms, for 15 minutes.",
            **_metric("AWS/ApiGateway", "Latency", api, 5 * MINUTE, extended_statistic="p95"),
            threshold=latency_ms,
            evaluation_periods=3,
        )
        if hours:
            self._alarm(
                "no-traffic",
                f"Nobody called the API for {hours} hours: is the page up, and may it call?",
                **_metric("AWS/ApiGateway", "Count", api, HOUR, statistic="Sum"),
                comparison_operator="LessThanThreshold",
                threshold=1,
                evaluation_periods=hours,
                treat_missing_data="breaching",
            )

    def _watch_function(self) -> None:
        sources = self._args.sources
        self._alarm(
            "crashes",
            "More than 1% of the function's calls ended without an answer of its own; a new version is taken back.",
            metric_queries=[
                query("crashed", "AWS/Lambda", "Errors", sources.live, "Sum", MINUTE),
                query("calls", "AWS/Lambda", "Invocations", sources.live, "Sum", MINUTE),
                expression("IF(calls > 0, 100 * crashed / calls, 0)", "crashed, %"),
            ],
            threshold=1,
        )
        self._alarm(
            "throttles",
            "Calls were turned away: all environments that the function may have were busy.",
            **_metric("AWS/Lambda", "Throttles", {"FunctionName": sources.function_name}, 5 * MINUTE, statistic="Sum"),
            threshold=0,
        )
        aws.cloudwatch.LogMetricFilter(
            f"{self._name}-init-time",
            log_group_name=sources.log_group,
            pattern='{ $.type = "platform.report" && $.record.metrics.initDurationMs > 0 }',
            metric_transformation={
                "namespace": sources.namespace,
                "name": INIT_TIME,
                "value": "$.record.metrics.initDurationMs",
                "unit": "Milliseconds",
            },
            opts=pulumi.ResourceOptions(parent=self),
        )
        self._alarm(
            "init-time",
            f"Starting an environment takes more than {self._args.init_ms} ms; at 10 s Lambda starts it over.",
            **_metric(sources.namespace, INIT_TIME, {}, 15 * MINUTE, extended_statistic="p95"),
            threshold=self._args.init_ms,
        )
        self._alarm(
            "failed-events",
            "An event failed for good and lies in the queue of failed events.",
            **_metric(
                "AWS/SQS",
                "ApproximateNumberOfMessagesVisible",
                {"QueueName": sources.failed_events_queue},
                5 * MINUTE,
                statistic="Maximum",
            ),
            threshold=0,
        )

    def _watch_model(self) -> None:
        sources, percent = self._args.sources, self._args.drift_percent
        own = {"service": SERVICE}
        for key, code, sentence in LOAD_FAILURES:
            self._alarm(
                key,
                sentence,
                **_metric(sources.namespace, "ModelLoadFailures", {**own, "code": code}, MINUTE, statistic="Sum"),
                threshold=0,
            )
        self._alarm(
            "drift",
            f"More than {percent}% of a day's pictures were unlike the training pictures.",
            metric_queries=[
                query("unfamiliar", sources.namespace, "Outcomes", {**own, "outcome": "unfamiliar"}, "Sum", DAY),
                query("pictures", sources.namespace, "Predictions", own, "Sum", DAY),
                expression(
                    f"IF(pictures >= {FEWEST_FOR_DRIFT}, 100 * FILL(unfamiliar, 0) / pictures, 0)", "unfamiliar, %"
                ),
            ],
            threshold=percent,
        )
        self._alarm(
            "failed-training",
            "A training job failed; another message says which, and why.",
            **_metric(
                "AWS/Events", "TriggeredRules", {"RuleName": sources.failed_jobs_rule}, 5 * MINUTE, statistic="Sum"
            ),
            threshold=0,
        )

    def _watch_page(self) -> None:
        page = self._args.sources.page
        assert page is not None  # noqa: S101 - asked before
        dimensions = {"LoadBalancer": page.balancer_suffix, "TargetGroup": page.target_group_suffix}
        self._alarm(
            "unhealthy-tasks",
            "A task of the page does not answer its health check.",
            **_metric("AWS/ApplicationELB", "UnHealthyHostCount", dimensions, MINUTE, statistic="Maximum"),
            threshold=0,
            evaluation_periods=5,
        )
        self._alarm(
            "no-tasks",
            "No task of the page is healthy: the page is down.",
            **_metric("AWS/ApplicationELB", "HealthyHostCount", dimensions, MINUTE, statistic="Minimum"),
            comparison_operator="LessThanThreshold",
            threshold=1,
            evaluation_periods=3,
            treat_missing_data="breaching",
        )
        self._alarm(
            "page-errors",
            "The page answered with errors of its own, for 5 minutes.",
            **_metric("AWS/ApplicationELB", "HTTPCode_Target_5XX_Count", dimensions, MINUTE, statistic="Sum"),
            threshold=0,
            evaluation_periods=5,
        )

    def _alarm(self, key: str, sentence: str, **settings: Any) -> None:
        settings.setdefault("comparison_operator", "GreaterThanThreshold")
        settings.setdefault("evaluation_periods", 1)
        settings.setdefault("treat_missing_data", "notBreaching")
        self.all[key] = aws.cloudwatch.MetricAlarm(
            f"{self._name}-{key}",
            alarm_description=sentence,
            alarm_actions=[self._args.topic_arn],
            ok_actions=[self._args.topic_arn],
            opts=pulumi.ResourceOptions(parent=self),
            **settings,
        )


def _metric(namespace: str, name: str, dimensions: Dimensions, period: int, **statistic: str) -> dict[str, Any]:
    return {
        "namespace": namespace,
        "metric_name": name,
        "dimensions": dimensions,
        "period": period,
        **statistic,
    }
