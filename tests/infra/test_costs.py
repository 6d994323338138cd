"""The cost estimate counts what the program creates."""

import pytest

from infra import costs
from infra.config import StackConfig, read_config
from infra.costs import StackCost, estimate_stack_cost
from operations.prices import read_prices
from tests.infra.stacks import Program, stack_file


def cost_of(config: StackConfig, function_ms: float = 45.0) -> StackCost:
    prices = read_prices()
    return estimate_stack_cost(
        config,
        prices.usd,
        hours_per_month=prices.hours_per_month,
        fargate_spot_share=prices.spot_share.fargate,
        function_ms=function_ms,
    )


def usd(config: StackConfig, what: str) -> float:
    """Add up the lines of an idle month that start with a name; 0 without such a line."""
    return sum(line.usd for line in cost_of(config).idle_month if line.what.startswith(what))


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_the_estimate_counts_each_billed_resource_as_often_as_the_program_creates_it(
    stack: str, request: pytest.FixtureRequest
) -> None:
    program: Program = request.getfixturevalue(stack)
    config = read_config(stack, "us-east-1", stack_file(stack))
    assert len(program.of("kms/key:Key")) == costs.KEYS
    assert len(program.of("secretsmanager/secret:Secret")) == costs.SECRETS
    assert len(program.of("cloudwatch/dashboard:Dashboard")) == costs.DASHBOARDS
    alarms = [alarm.inputs.get("metricQueries") for alarm in program.of("cloudwatch/metricAlarm:MetricAlarm")]
    watched = sum(len([query for query in queries if "metric" in query]) if queries else 1 for queries in alarms)
    assert watched == costs.ALARM_METRICS + bool(config.no_traffic_hours)
    assert len(program.of("ec2/natGateway:NatGateway")) == config.nat_gateways
    assert len(program.of("lb/loadBalancer:LoadBalancer")) == 1
    rules = [len(acl.inputs["rules"]) for acl in program.of("wafv2/webAcl:WebAcl")]
    assert rules == ([costs.FIREWALL_RULES] if config.firewall else [])
    tasks = program.one("ecs/service:Service").inputs
    assert tasks["desiredCount"] == config.page_tasks_min
    assert tasks["networkConfiguration"]["assignPublicIp"] == (config.nat_gateways == 0)
    insights = program.one("ecs/cluster:Cluster").inputs["settings"][0]["value"]
    assert (insights == "enabled") == config.page_insights


def test_options_that_are_off_cost_nothing() -> None:
    plain = StackConfig()
    assert usd(plain, "network: NAT") == usd(plain, "page: firewall") == usd(plain, "function: provisioned") == 0
    assert usd(StackConfig(natGateways=2), "network: NAT") == pytest.approx(2 * 730 * 0.045)
    assert usd(StackConfig(firewall=True), "page: firewall") == pytest.approx(5 + 4)
    assert usd(StackConfig(pageSpot=True), "page: Fargate") == pytest.approx(0.3 * usd(plain, "page: Fargate"))
    assert usd(StackConfig(pageInsights=False), "page: Container") == 0 < usd(plain, "page: Container")


def test_the_cost_of_the_function_is_proportional_to_its_time() -> None:
    cost = {
        ms: {line.what: line.usd for line in cost_of(StackConfig(), ms).thousand_predictions}["function"]
        for ms in (50, 100)
    }
    requests = 1000 * 0.0000002
    assert cost[100] - requests == pytest.approx(2 * (cost[50] - requests))
