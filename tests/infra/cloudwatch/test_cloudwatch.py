"""Alarms, the dashboard, the topic and the budget."""

import json
import re
from typing import Any

import pytest

from functions.classify.metrics import METRICS
from functions.classify.settings import NAMESPACE
from tests.infra.stacks import ACCOUNT, Program, deployed

EVERYWHERE = {
    "errors", "latency", "crashes", "throttles", "init-time", "failed-events", "no-model", "invalid-bundle", "drift",
    "failed-training", "unhealthy-tasks", "no-tasks", "page-errors",
}  # fmt: skip


def alarms_of(program: Program) -> dict[str, Any]:
    return {r.name.split("-", 2)[2]: r.inputs for r in program.of("cloudwatch/metricAlarm:MetricAlarm")}


def test_each_stack_has_the_expected_alarms(dev: Program, prod: Program) -> None:
    assert set(alarms_of(dev)) == EVERYWHERE
    assert set(alarms_of(prod)) == EVERYWHERE | {"no-traffic"}


def test_every_alarm_sends_a_sentence_when_it_starts_and_when_it_ends(prod: Program) -> None:
    for alarm in alarms_of(prod).values():
        assert alarm["alarmActions"] == alarm["okActions"] == ["arn:aws:sns:lesion-prod-alarms"]
        assert re.fullmatch(r"[A-Z].+[.?]", alarm["alarmDescription"])


def formula(alarm: dict[str, Any], **values: float) -> float:
    """Evaluate the formula of an alarm, as CloudWatch does, with given values."""
    (last,) = [q["expression"] for q in alarm["metricQueries"] if q["returnData"]]
    known = {
        "IF": lambda condition, then, other: then if condition else other,
        "FILL": lambda value, instead: instead if value is None else value,
    }
    return float(eval(last, {"__builtins__": {}}, {**known, **values}))  # noqa: S307 - the program's own text


def test_errors_above_one_percent_for_five_minutes_start_the_alarm(dev: Program) -> None:
    alarm = alarms_of(dev)["errors"]
    assert formula(alarm, failed=3, calls=200) == pytest.approx(1.5)
    assert (alarm["threshold"], alarm["evaluationPeriods"]) == (1, 5)
    metrics = {q["id"]: q["metric"] for q in alarm["metricQueries"] if "metric" in q}
    assert (metrics["failed"]["metricName"], metrics["calls"]["metricName"]) == ("5xx", "Count")
    for metric in metrics.values():
        assert (metric["period"], metric["stat"]) == (60, "Sum")
        assert metric["dimensions"] == {"ApiId": "lesion-dev-classify-id"}


def test_there_are_alarms_on_latency_and_init_time(dev: Program) -> None:
    latency, init = alarms_of(dev)["latency"], alarms_of(dev)["init-time"]
    assert (latency["metricName"], latency["extendedStatistic"], latency["threshold"]) == ("Latency", "p95", 2000)
    assert (init["metricName"], init["extendedStatistic"], init["threshold"]) == ("InitTime", "p95", 8000)
    read = dev.one("cloudwatch/logMetricFilter:LogMetricFilter").inputs
    made = read["metricTransformation"]
    assert (made["name"], made["namespace"]) == (init["metricName"], init["namespace"])
    assert made["value"] in read["pattern"]
    assert read["logGroupName"] == "lesion-dev-classify-0a1b2c3"


def test_drift_is_the_daily_share_of_unfamiliar_pictures_if_there_are_enough(dev: Program) -> None:
    alarm = alarms_of(dev)["drift"]
    assert formula(alarm, unfamiliar=30, pictures=100) == 30
    assert formula(alarm, unfamiliar=None, pictures=100) == 0  # type: ignore[arg-type]
    assert formula(alarm, unfamiliar=19, pictures=19) == 0
    assert alarm["threshold"] == 20
    for query in alarm["metricQueries"][:2]:
        metric = query["metric"]
        assert metric["namespace"] == f"{NAMESPACE}/dev"
        assert set(metric["dimensions"]) == {"service", *METRICS[metric["metricName"]].dimensions}
        assert metric["period"] == 86_400


def test_the_crash_alarm_watches_the_live_alias(dev: Program) -> None:
    alarm = alarms_of(dev)["crashes"]
    for query in alarm["metricQueries"][:2]:
        assert query["metric"]["dimensions"]["Resource"] == "lesion-dev-classify-0a1b2c3:live"
    assert formula(alarm, crashed=1, calls=10) == 10


def test_prod_has_an_alarm_for_no_traffic(prod: Program) -> None:
    alarm = alarms_of(prod)["no-traffic"]
    assert (alarm["evaluationPeriods"], alarm["period"], alarm["treatMissingData"]) == (6, 3600, "breaching")
    assert (alarm["comparisonOperator"], alarm["threshold"]) == ("LessThanThreshold", 1)


def test_thresholds_come_from_the_configuration() -> None:
    changed = deployed("dev", latencyAlarmMs="900", initAlarmMs="4000", driftAlarmPercent="35", noTrafficHours="2")
    alarms = alarms_of(changed)
    assert [alarms[key]["threshold"] for key in ("latency", "init-time", "drift")] == [900, 4000, 35]
    assert alarms["no-traffic"]["evaluationPeriods"] == 2


def test_other_alarms_start_at_the_first_occurrence(dev: Program) -> None:
    expected = {
        "throttles": ("AWS/Lambda", "Throttles"),
        "failed-events": ("AWS/SQS", "ApproximateNumberOfMessagesVisible"),
        "no-model": (f"{NAMESPACE}/dev", "ModelLoadFailures"),
        "invalid-bundle": (f"{NAMESPACE}/dev", "ModelLoadFailures"),
        "failed-training": ("AWS/Events", "TriggeredRules"),
        "unhealthy-tasks": ("AWS/ApplicationELB", "UnHealthyHostCount"),
        "page-errors": ("AWS/ApplicationELB", "HTTPCode_Target_5XX_Count"),
    }
    for key, watched in expected.items():
        alarm = alarms_of(dev)[key]
        assert (alarm["namespace"], alarm["metricName"]) == watched
        assert (alarm["threshold"], alarm["comparisonOperator"]) == (0, "GreaterThanThreshold")


def test_the_dashboard_shows_traffic_errors_latency_drift_and_cost(prod: Program) -> None:
    body = prod.one("cloudwatch/dashboard:Dashboard").json("dashboardBody")
    charts = {w["properties"]["title"]: w["properties"].get("metrics", []) for w in body["widgets"]}
    shown = json.dumps(charts).replace("\\", "")  # quotes inside a search stay quotes
    for metric in (
        "Count",
        "5xx",
        "Latency",
        "ColdStart",
        "InitTime",
        "Outcomes",
        "Refusals",
        "UnfamiliarScore",
        "EstimatedCharges",
        "TriggeredRules",
    ):
        assert f'"{metric}"' in shown, metric
    for quantile in ("p50", "p95", "p99"):
        assert quantile in json.dumps(charts["API latency, ms"])
    assert len(body["widgets"][0]["properties"]["alarms"]) == len(alarms_of(prod))
    places = [(w["x"], w["y"]) for w in body["widgets"]]
    assert len(set(places)) == len(places)
    for w in body["widgets"]:
        assert w["x"] + w["width"] <= 24


def test_the_dashboard_uses_the_dimensions_of_the_functions_metrics(prod: Program) -> None:
    body = prod.one("cloudwatch/dashboard:Dashboard").json("dashboardBody")
    rows = [row for w in body["widgets"] for row in w["properties"].get("metrics", []) if row[0] == f"{NAMESPACE}/prod"]
    assert len(rows) > 8
    for row in rows:
        name, dimensions = row[1], row[2:-1]
        if name in METRICS:
            assert {*METRICS[name].dimensions, "service"} == set(dimensions[::2]), name
        else:
            assert (name, dimensions) == ("InitTime", [])


def test_the_topic_accepts_only_messages_of_this_account_and_over_tls(prod: Program) -> None:
    allowed, denied = prod.one("sns/topicPolicy:TopicPolicy").json("policy")["Statement"]
    assert set(allowed["Principal"]["Service"]) == {
        "cloudwatch.amazonaws.com",
        "events.amazonaws.com",
        "budgets.amazonaws.com",
    }
    assert allowed["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
    assert (denied["Effect"], denied["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
    assert prod.one("sns/topic:Topic").inputs["kmsMasterKeyId"].startswith("arn:aws:kms:")
    subscribed = prod.one("sns/topicSubscription:TopicSubscription").inputs
    assert (subscribed["protocol"], subscribed["endpoint"]) == ("email", "alarms@example.org")


def test_the_budget_sends_messages_at_50_80_and_100_percent(dev: Program, prod: Program) -> None:
    for program, limit in ((dev, "50"), (prod, "400")):
        budget = program.one("budgets/budget:Budget").inputs
        assert (budget["limitAmount"], budget["timeUnit"]) == (limit, "MONTHLY")
        assert [n["threshold"] for n in budget["notifications"]] == [50, 80, 100]
        for notification in budget["notifications"]:
            assert notification["subscriberSnsTopicArns"] == [
                program.one("sns/topic:Topic").inputs.get("arn") or f"arn:aws:sns:{program.one('sns/topic:Topic').name}"
            ]
    assert "costFilters" not in dev.one("budgets/budget:Budget").inputs  # the whole account
    (only,) = prod.one("budgets/budget:Budget").inputs["costFilters"]
    assert only == {"name": "TagKeyValue", "values": ["user:Stack$prod"]}
