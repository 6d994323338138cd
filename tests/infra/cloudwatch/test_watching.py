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


def test_everything_that_should_wake_somebody_has_an_alarm(dev: Program, prod: Program) -> None:
    assert set(alarms_of(dev)) == EVERYWHERE
    assert set(alarms_of(prod)) == EVERYWHERE | {"no-traffic"}


def test_every_alarm_tells_the_topic_in_a_sentence_when_it_comes_and_when_it_goes(prod: Program) -> None:
    for alarm in alarms_of(prod).values():
        assert alarm["alarmActions"] == alarm["okActions"] == ["arn:aws:sns:lesion-prod-alarms"]
        assert re.fullmatch(r"[A-Z].+[.?]", alarm["alarmDescription"])


def formula(alarm: dict[str, Any], **values: float) -> float:
    """Work out an alarm's formula as CloudWatch does, on given values."""
    (last,) = [q["expression"] for q in alarm["metricQueries"] if q["returnData"]]
    known = {
        "IF": lambda condition, then, other: then if condition else other,
        "FILL": lambda value, instead: instead if value is None else value,
    }
    return float(eval(last, {"__builtins__": {}}, {**known, **values}))  # noqa: S307 - the program's own text


def test_errors_above_one_percent_for_five_minutes(dev: Program) -> None:
    alarm = alarms_of(dev)["errors"]
    assert formula(alarm, failed=3, calls=200) == pytest.approx(1.5)
    assert (alarm["threshold"], alarm["evaluationPeriods"]) == (1, 5)
    metrics = {q["id"]: q["metric"] for q in alarm["metricQueries"] if "metric" in q}
    assert (metrics["failed"]["metricName"], metrics["calls"]["metricName"]) == ("5xx", "Count")
    for metric in metrics.values():
        assert (metric["period"], metric["stat"]) == (60, "Sum")
        assert metric["dimensions"] == {"ApiId": "lesion-dev-classify-id"}


def test_slow_answers_and_slow_starts(dev: Program) -> None:
    latency, init = alarms_of(dev)["latency"], alarms_of(dev)["init-time"]
    assert (latency["metricName"], latency["extendedStatistic"], latency["threshold"]) == ("Latency", "p95", 2000)
    assert (init["metricName"], init["extendedStatistic"], init["threshold"]) == ("InitTime", "p95", 8000)
    read = dev.one("cloudwatch/logMetricFilter:LogMetricFilter").inputs
    made = read["metricTransformation"]
    assert (made["name"], made["namespace"]) == (init["metricName"], init["namespace"])
    assert made["value"] in read["pattern"]
    assert read["logGroupName"] == "lesion-dev-classify-0a1b2c3"


def test_drift_is_the_share_of_unfamiliar_pictures_of_a_day_with_enough_of_them(dev: Program) -> None:
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


def test_crashes_are_those_of_what_people_are_served_by(dev: Program) -> None:
    alarm = alarms_of(dev)["crashes"]
    for query in alarm["metricQueries"][:2]:
        assert query["metric"]["dimensions"]["Resource"] == "lesion-dev-classify-0a1b2c3:live"
    assert formula(alarm, crashed=1, calls=10) == 10


def test_silence_is_an_alarm_where_people_are_expected(prod: Program) -> None:
    alarm = alarms_of(prod)["no-traffic"]
    assert (alarm["evaluationPeriods"], alarm["period"], alarm["treatMissingData"]) == (6, 3600, "breaching")
    assert (alarm["comparisonOperator"], alarm["threshold"]) == ("LessThanThreshold", 1)


def test_thresholds_come_from_the_configuration() -> None:
    changed = deployed("dev", latencyAlarmMs="900", initAlarmMs="4000", driftAlarmPercent="35", noTrafficHours="2")
    alarms = alarms_of(changed)
    assert [alarms[key]["threshold"] for key in ("latency", "init-time", "drift")] == [900, 4000, 35]
    assert alarms["no-traffic"]["evaluationPeriods"] == 2


def test_the_rest_alarm_at_the_first_occurrence(dev: Program) -> None:
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


def test_the_dashboard_shows_whether_people_are_answered_how_fast_and_at_what_cost(prod: Program) -> None:
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
        assert quantile in json.dumps(charts["How long callers wait, ms"])
    assert len(body["widgets"][0]["properties"]["alarms"]) == len(alarms_of(prod))
    places = [(w["x"], w["y"]) for w in body["widgets"]]
    assert len(set(places)) == len(places)
    for w in body["widgets"]:
        assert w["x"] + w["width"] <= 24


def test_the_dashboard_asks_for_metrics_as_the_function_tells_them(prod: Program) -> None:
    body = prod.one("cloudwatch/dashboard:Dashboard").json("dashboardBody")
    rows = [row for w in body["widgets"] for row in w["properties"].get("metrics", []) if row[0] == f"{NAMESPACE}/prod"]
    assert len(rows) > 8
    for row in rows:
        name, dimensions = row[1], row[2:-1]
        if name in METRICS:
            assert {*METRICS[name].dimensions, "service"} == set(dimensions[::2]), name
        else:
            assert (name, dimensions) == ("InitTime", [])


def test_the_topic_takes_messages_of_this_accounts_alarms_alone_and_over_tls(prod: Program) -> None:
    told, denied = prod.one("sns/topicPolicy:TopicPolicy").json("policy")["Statement"]
    assert set(told["Principal"]["Service"]) == {
        "cloudwatch.amazonaws.com",
        "events.amazonaws.com",
        "budgets.amazonaws.com",
    }
    assert told["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
    assert (denied["Effect"], denied["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
    assert prod.one("sns/topic:Topic").inputs["kmsMasterKeyId"].startswith("arn:aws:kms:")
    subscribed = prod.one("sns/topicSubscription:TopicSubscription").inputs
    assert (subscribed["protocol"], subscribed["endpoint"]) == ("email", "alarms@example.org")


def test_the_budget_speaks_at_half_at_four_fifths_and_when_it_is_used_up(dev: Program, prod: Program) -> None:
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
