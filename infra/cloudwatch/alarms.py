"""The alarms. Each description is a sentence about the problem."""

from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from infra.cloudwatch.metrics import (
    DAY,
    HOUR,
    INIT_TIME,
    MINUTE,
    SERVICE,
    Dimensions,
    MonitoredParts,
    expression,
    query,
)

MIN_PICTURES_FOR_DRIFT = 20  # pictures in a day; a share of fewer is too uncertain
LOAD_FAILURES = (  # (alarm, the function's error code, description) for each reason why a model does not load
    ("no-model", "model_unavailable", "The function has no model or cannot fetch it, so it answers 503."),
    (
        "invalid-bundle",
        "invalid_bundle",
        "The function refused a model bundle and does not serve it; CodeDeploy rolls a new version back.",
    ),
)
# The alarms that roll a new version back. Without `no-model` and `errors`: they are on until the first promotion, which
# must not be rolled back. A promotion also tests the new version itself before it moves any call.
CANARY = ("crashes", "invalid-bundle")


@dataclass(frozen=True, kw_only=True)
class AlarmsArgs:
    """What the alarms watch, their thresholds, and the topic that gets their messages."""

    topic_arn: pulumi.Input[str]
    parts: MonitoredParts
    latency_ms: int
    init_ms: int
    drift_percent: int
    no_traffic_hours: int


class Alarms(pulumi.ComponentResource):
    """All alarms of a stack, by name in `all`; `canary` has the names of those that roll a new version back."""

    all: dict[str, aws.cloudwatch.MetricAlarm]
    canary: list[pulumi.Output[str]]

    def __init__(self, name: str, args: AlarmsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("analyzer:watching:Alarms", name, None, opts)
        self._name, self._args = name, args
        self.all = {}
        self._watch_api()
        self._watch_function()
        self._watch_model()
        if args.parts.page:
            self._watch_page()
        self.canary = [self.all[key].name for key in CANARY]
        self.register_outputs({"alarms": [alarm.name for alarm in self.all.values()]})

    def _watch_api(self) -> None:
        api, latency_ms, hours = self._args.parts.api_dimensions, self._args.latency_ms, self._args.no_traffic_hours
        self._alarm(
            "errors",
            "More than 1% of the API's calls have failed for 5 minutes.",
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
            f"One API call in twenty has taken more than {latency_ms} ms for 15 minutes.",
            **_metric("AWS/ApiGateway", "Latency", api, 5 * MINUTE, extended_statistic="p95"),
            threshold=latency_ms,
            evaluation_periods=3,
        )
        if hours:
            self._alarm(
                "no-traffic",
                f"The API got no call for {hours} hours: check the page and its permission to call.",
                **_metric("AWS/ApiGateway", "Count", api, HOUR, statistic="Sum"),
                comparison_operator="LessThanThreshold",
                threshold=1,
                evaluation_periods=hours,
                treat_missing_data="breaching",
            )

    def _watch_function(self) -> None:
        parts = self._args.parts
        self._alarm(
            "crashes",
            "More than 1% of the function's calls crashed; CodeDeploy rolls a new version back.",
            metric_queries=[
                query("crashed", "AWS/Lambda", "Errors", parts.alias_dimensions, "Sum", MINUTE),
                query("calls", "AWS/Lambda", "Invocations", parts.alias_dimensions, "Sum", MINUTE),
                expression("IF(calls > 0, 100 * crashed / calls, 0)", "crashed, %"),
            ],
            threshold=1,
        )
        self._alarm(
            "throttles",
            "Lambda throttled calls: the function has reached its limit of concurrent environments.",
            **_metric("AWS/Lambda", "Throttles", {"FunctionName": parts.function_name}, 5 * MINUTE, statistic="Sum"),
            threshold=0,
        )
        aws.cloudwatch.LogMetricFilter(
            f"{self._name}-init-time",
            log_group_name=parts.log_group,
            pattern='{ $.type = "platform.report" && $.record.metrics.initDurationMs > 0 }',
            metric_transformation={
                "namespace": parts.namespace,
                "name": INIT_TIME,
                "value": "$.record.metrics.initDurationMs",
                "unit": "Milliseconds",
            },
            opts=pulumi.ResourceOptions(parent=self),
        )
        self._alarm(
            "init-time",
            f"The function's init phase takes more than {self._args.init_ms} ms; at 10 s Lambda restarts it.",
            **_metric(parts.namespace, INIT_TIME, {}, 15 * MINUTE, extended_statistic="p95"),
            threshold=self._args.init_ms,
        )
        self._alarm(
            "failed-events",
            "An event failed after all retries and is in the queue of failed events.",
            **_metric(
                "AWS/SQS",
                "ApproximateNumberOfMessagesVisible",
                {"QueueName": parts.failed_events_queue},
                5 * MINUTE,
                statistic="Maximum",
            ),
            threshold=0,
        )

    def _watch_model(self) -> None:
        parts, percent = self._args.parts, self._args.drift_percent
        own = {"service": SERVICE}
        for key, code, sentence in LOAD_FAILURES:
            self._alarm(
                key,
                sentence,
                **_metric(parts.namespace, "ModelLoadFailures", {**own, "code": code}, MINUTE, statistic="Sum"),
                threshold=0,
            )
        self._alarm(
            "drift",
            f"More than {percent}% of a day's pictures were unfamiliar: unlike the training pictures.",
            metric_queries=[
                query("unfamiliar", parts.namespace, "Outcomes", {**own, "outcome": "unfamiliar"}, "Sum", DAY),
                query("pictures", parts.namespace, "Predictions", own, "Sum", DAY),
                expression(
                    f"IF(pictures >= {MIN_PICTURES_FOR_DRIFT}, 100 * FILL(unfamiliar, 0) / pictures, 0)",
                    "unfamiliar, %",
                ),
            ],
            threshold=percent,
        )
        self._alarm(
            "failed-training",
            "A training job failed; another message has its name and the reason.",
            **_metric(
                "AWS/Events", "TriggeredRules", {"RuleName": parts.failed_jobs_rule}, 5 * MINUTE, statistic="Sum"
            ),
            threshold=0,
        )

    def _watch_page(self) -> None:
        page = self._args.parts.page
        assert page is not None  # noqa: S101 - the caller checks
        dimensions = {"LoadBalancer": page.balancer_suffix, "TargetGroup": page.target_group_suffix}
        self._alarm(
            "unhealthy-tasks",
            "A task of the page does not pass its health check.",
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
            "The page has answered with server errors for 5 minutes.",
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
