"""The HTTP API: its permissions, timeouts, limits and logs."""

import json

import pytest

from contract.api import MAX_BODY_BYTES
from functions.classify.http.routes import METHODS
from infra.config import API_TIMEOUT_S, BALANCER_IDLE_S, ORIGIN_TIMEOUT_S, PAGE_TIMEOUT_S
from local.gateway import MAX_EVENT_BYTES, MAX_PAYLOAD_BYTES
from tests.infra.stacks import Program, deployed
from webapp import gunicorn_conf
from webapp.settings import TIMEOUT_S_RANGE, Settings


def test_every_route_requires_a_signature(dev: Program) -> None:
    routes = {r.inputs["routeKey"]: r.inputs for r in dev.of("apigatewayv2/route:Route")}
    assert set(routes) == {f"{method} {path}" for path, method in METHODS.items()} | {"$default"}
    assert {inputs["authorizationType"] for inputs in routes.values()} == {"AWS_IAM"}
    assert {inputs["target"] for inputs in routes.values()} == {"integrations/lesion-dev-classify-id"}


def test_scripts_of_other_sites_cannot_call_the_api(dev: Program) -> None:
    assert "corsConfiguration" not in dev.one("apigatewayv2/api:Api").inputs


def test_the_api_calls_the_alias_and_only_the_api_may(dev: Program) -> None:
    integration = dev.one("apigatewayv2/integration:Integration").inputs
    assert integration["integrationUri"] == "arn:invoke:lesion-dev-classify"
    assert (integration["integrationType"], integration["payloadFormatVersion"]) == ("AWS_PROXY", "2.0")
    (permission,) = dev.of("lambda/permission:Permission")
    assert permission.inputs["principal"] == "apigateway.amazonaws.com"
    assert permission.inputs["qualifier"] == "live"
    assert permission.inputs["sourceArn"].endswith(":abcdef/*/*")


def test_each_caller_waits_longer_than_the_part_it_calls(dev: Program, prod: Program) -> None:
    for program in (dev, prod):
        function_s = program.one("lambda/function:Function").inputs["timeout"]
        api_s = program.one("apigatewayv2/integration:Integration").inputs["timeoutMilliseconds"] / 1000
        distribution = program.one("cloudfront/distribution:Distribution").inputs
        cloudfront_s = distribution["origins"][0]["vpcOriginConfig"]["originReadTimeout"]
        balancer_s = program.one("lb/loadBalancer:LoadBalancer").inputs["idleTimeout"]
        waits = [
            function_s,
            api_s,
            PAGE_TIMEOUT_S,
            cloudfront_s,
            balancer_s,
            gunicorn_conf.keepalive,
            gunicorn_conf.timeout,
        ]
        assert waits == sorted(set(waits))
    assert (API_TIMEOUT_S, ORIGIN_TIMEOUT_S, BALANCER_IDLE_S) == (29, 45, 60)
    assert TIMEOUT_S_RANGE[0] <= PAGE_TIMEOUT_S <= TIMEOUT_S_RANGE[1]


def test_each_size_limit_is_below_the_next_one(dev: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = dev.one("ecs/taskDefinition:TaskDefinition").json("containerDefinitions")[0]["environment"]
    given = {pair["name"]: pair["value"] for pair in environment}
    for name, value in {**given, "SECRET_KEY": "s" * 48}.items():
        monkeypatch.setenv(name, value)
    settings = Settings.from_env()
    assert settings.max_upload_bytes > MAX_BODY_BYTES  # the page takes more, and shrinks it
    as_event = MAX_BODY_BYTES * 4 / 3 + 100_000  # base64, and the rest of the event
    assert as_event < MAX_EVENT_BYTES < MAX_PAYLOAD_BYTES


def test_the_api_is_throttled_as_configured() -> None:
    program = deployed("dev", apiRatePerS="7", apiBurst="9")
    settings = program.one("apigatewayv2/stage:Stage").inputs["defaultRouteSettings"]
    assert settings == {"throttlingRateLimit": 7, "throttlingBurstLimit": 9, "detailedMetricsEnabled": True}


def test_calls_are_logged_without_addresses_and_bodies(dev: Program) -> None:
    settings = dev.one("apigatewayv2/stage:Stage").inputs["accessLogSettings"]
    logged = json.loads(settings["format"])
    assert {"requestId", "status", "route", "latencyMs"} <= set(logged)
    assert not [
        value for value in logged.values() if "sourceIp" in value or "body" in value.lower() or "userAgent" in value
    ]


def test_a_canary_is_rolled_back_for_crashes_and_refused_bundles(prod: Program) -> None:
    """The alarms for a missing model do not count, so that the first promotion is not rolled back."""
    group = prod.one("codedeploy/deploymentGroup:DeploymentGroup").inputs
    assert group["deploymentConfigName"] == "CodeDeployDefault.LambdaCanary10Percent5Minutes"
    alarms = [f"lesion-prod-{key}-0a1b2c3" for key in ("crashes", "invalid-bundle")]
    assert group["alarmConfiguration"] == {"enabled": True, "alarms": alarms}
    assert group["autoRollbackConfiguration"]["enabled"] is True
    assert set(group["autoRollbackConfiguration"]["events"]) == {
        "DEPLOYMENT_FAILURE",
        "DEPLOYMENT_STOP_ON_ALARM",
        "DEPLOYMENT_STOP_ON_REQUEST",
    }
    assert group["deploymentStyle"] == {"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"}
    assert prod.one("codedeploy/application:Application").inputs["computePlatform"] == "Lambda"
