"""The page: nothing reaches it but CloudFront, its tasks may only ask the API, and it is told all that it reads."""

import json
from collections.abc import Mapping
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from contract.api import MAX_BODY_BYTES
from functions.classify.http.routes import METHODS
from infra.page import balancer, firewall
from infra.page.distribution import ALL_OF_THE_VIEWER, CACHING_DISABLED, CACHING_OPTIMIZED
from tests.infra.stacks import ACCOUNT, Program, deployed
from webapp import gunicorn_conf
from webapp.classify_client import ClassifyClient
from webapp.settings import VARIABLES, Settings

ROOT = Path(__file__).parents[3]
BALANCER, TASKS = "lesion-{}-page-id", "lesion-{}-page-id"


def container_of(program: Program) -> Any:
    (container,) = program.one("ecs/taskDefinition:TaskDefinition").json("containerDefinitions")
    return container


def environment_of(program: Program) -> Mapping[str, str]:
    return {pair["name"]: pair["value"] for pair in container_of(program)["environment"]}


@pytest.fixture(params=["dev", "prod"])
def whole(request: pytest.FixtureRequest) -> Program:
    found: Program = request.getfixturevalue(request.param)
    return found


def test_the_stack_sets_the_very_variables_that_the_pages_settings_read(whole: Program) -> None:
    container = container_of(whole)
    (secret,) = container["secrets"]
    assert secret["name"] == "SECRET_KEY"
    # The region is for signing: botocore's, not one of our settings.
    assert set(environment_of(whole)) | {"SECRET_KEY"} == {*VARIABLES, "AWS_DEFAULT_REGION"}


def test_the_page_starts_with_what_the_stack_sets(dev: Program, prod: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    for program, host in ((dev, "d1234.cloudfront.net"), (prod, "lesions.example.org")):
        for name, value in {**environment_of(program), "SECRET_KEY": "drawn" * 10}.items():
            monkeypatch.setenv(name, value)
        settings = Settings.from_env()
        assert settings.classify_auth == "iam"
        assert settings.classify_url == program.outputs["apiUrl"]
        assert settings.trusted_hosts == (host,)
        assert settings.max_upload_bytes > MAX_BODY_BYTES
        ClassifyClient(settings.classify_url, settings.classify_auth, settings.classify_timeout_s)


def test_no_secret_is_written_into_the_task(whole: Program) -> None:
    (secret,) = container_of(whole)["secrets"]
    assert secret["valueFrom"].startswith("arn:aws:secretsmanager:")
    assert "drawn" not in json.dumps(container_of(whole))
    version = whole.one("secretsmanager/secretVersion:SecretVersion")
    assert version.inputs["secretString"] == "drawn" * 10
    assert version.ignored == ("secretString",)  # the next deployment does not draw another


def test_only_cloudfronts_own_group_reaches_the_balancer_and_only_that_reaches_the_tasks(whole: Program) -> None:
    vpc = whole.one("ec2/vpc:Vpc").name
    rules = [
        r.inputs for r in whole.of("vpc/securityGroupIngressRule:SecurityGroupIngressRule") if "training" not in r.name
    ]
    assert len(rules) == 2
    assert not [rule for rule in rules if "cidrIpv4" in rule or "cidrIpv6" in rule or "prefixListId" in rule]
    sources = {rule["toPort"]: rule["referencedSecurityGroupId"] for rule in rules}
    front = 443 if whole.one("lb/listener:Listener").inputs["protocol"] == "HTTPS" else 80
    assert set(sources) == {front, balancer.PAGE_PORT}
    assert "CloudFront-VPCOrigins-Service-SG" in sources[front]
    assert f"{vpc}-id" in sources[front]
    for rule in rules:
        assert rule["fromPort"] == rule["toPort"]
    groups = whole.of("ec2/securityGroup:SecurityGroup")
    assert not [g for g in groups if g.inputs.get("ingress") or g.inputs.get("egress")]  # rules stand on their own
    default = whole.one("ec2/defaultSecurityGroup:DefaultSecurityGroup").inputs
    assert not default.get("ingress")
    assert not default.get("egress")


def test_the_balancer_is_inside_and_drops_what_it_cannot_read(whole: Program) -> None:
    inputs = whole.one("lb/loadBalancer:LoadBalancer").inputs
    assert inputs["internal"] is True
    assert inputs["dropInvalidHeaderFields"] is True
    assert inputs["accessLogs"]["enabled"] is True
    assert all("private" in subnet for subnet in inputs["subnets"])
    assert len(inputs["subnets"]) == 2


def test_tasks_reach_https_alone(whole: Program) -> None:
    outward = [
        r.inputs for r in whole.of("vpc/securityGroupEgressRule:SecurityGroupEgressRule") if "training" not in r.name
    ]
    assert {(rule.get("cidrIpv4"), rule["toPort"]) for rule in outward} == {("0.0.0.0/0", 443), (None, 8080)}


def test_a_cheap_stack_needs_no_nat_gateway_and_a_stack_for_people_has_no_public_task(
    dev: Program, prod: Program
) -> None:
    assert dev.of("ec2/natGateway:NatGateway") == []
    network = dev.one("ecs/service:Service").inputs["networkConfiguration"]
    assert network["assignPublicIp"] is True  # for calls outward; no rule lets anything in but the balancer
    assert all("public" in subnet for subnet in network["subnets"])
    assert len(prod.of("ec2/natGateway:NatGateway")) == 2
    network = prod.one("ecs/service:Service").inputs["networkConfiguration"]
    assert network["assignPublicIp"] is False
    assert all("private" in subnet for subnet in network["subnets"])


def test_subnets_lie_in_the_network_and_beside_each_other() -> None:
    program = deployed("prod", vpcCidr="10.99.0.0/20", natGateways="3")
    blocks = [IPv4Network(r.inputs["cidrBlock"]) for r in program.of("ec2/subnet:Subnet")]
    assert len(blocks) == 6
    assert all(block.subnet_of(IPv4Network("10.99.0.0/20")) for block in blocks)
    assert not [1 for a in blocks for b in blocks if a is not b and a.overlaps(b)]
    assert not [r for r in program.of("ec2/subnet:Subnet") if r.inputs["mapPublicIpOnLaunch"]]


def test_private_subnets_have_no_way_out_but_nat(dev: Program, prod: Program) -> None:
    def gateways(program: Program) -> dict[str, str]:
        return {r.name: "nat" if "natGatewayId" in r.inputs else "internet" for r in program.of("ec2/route:Route")}

    assert gateways(dev) == {"lesion-dev-public": "internet"}
    assert gateways(prod) == {
        "lesion-prod-public": "internet",
        "lesion-prod-private-0": "nat",
        "lesion-prod-private-1": "nat",
    }


def test_cloudfront_speaks_tls_on_a_name_of_its_own_or_on_yours(dev: Program, prod: Program) -> None:
    own = dev.one("cloudfront/distribution:Distribution").inputs
    assert own["viewerCertificate"] == {"cloudfrontDefaultCertificate": True}
    assert "aliases" not in own
    yours = prod.one("cloudfront/distribution:Distribution").inputs
    assert yours["aliases"] == ["lesions.example.org"]
    assert yours["viewerCertificate"]["minimumProtocolVersion"] == "TLSv1.2_2021"
    assert prod.outputs["pageUrl"] == "https://lesions.example.org"
    assert prod.outputs["pageDomainTarget"] == "d1234.cloudfront.net"
    listener = prod.one("lb/listener:Listener").inputs
    assert (listener["port"], listener["sslPolicy"]) == (443, "ELBSecurityPolicy-TLS13-1-2-2021-06")
    origin = prod.one("cloudfront/vpcOrigin:VpcOrigin").inputs["vpcOriginEndpointConfig"]
    assert origin["originProtocolPolicy"] == "https-only"


def test_nothing_is_cached_but_static_files_and_the_page_sees_the_host_it_is_asked_for(whole: Program) -> None:
    inputs = whole.one("cloudfront/distribution:Distribution").inputs
    default = inputs["defaultCacheBehavior"]
    assert (default["cachePolicyId"], default["originRequestPolicyId"]) == (CACHING_DISABLED, ALL_OF_THE_VIEWER)
    assert "POST" in default["allowedMethods"]
    (static,) = inputs["orderedCacheBehaviors"]
    assert (static["pathPattern"], static["cachePolicyId"]) == ("/static/*", CACHING_OPTIMIZED)
    assert static["allowedMethods"] == ["GET", "HEAD"]
    for behaviour in (default, static):
        assert behaviour["viewerProtocolPolicy"] == "redirect-to-https"


def test_who_opened_the_page_is_logged(dev: Program) -> None:
    source = dev.one("cloudwatch/logDeliverySource:LogDeliverySource").inputs
    assert (source["logType"], source["region"]) == ("ACCESS_LOGS", "us-east-1")
    destination = dev.one("cloudwatch/logDeliveryDestination:LogDeliveryDestination").inputs
    to = destination["deliveryDestinationConfiguration"]["destinationResourceArn"]
    assert to == "arn:aws:s3:lesion-dev-access-logs/cloudfront"


def test_the_firewall_is_there_when_asked_for_and_lets_pictures_through(dev: Program, prod: Program) -> None:
    assert dev.of("wafv2/webAcl:WebAcl") == []
    assert "webAclId" not in dev.one("cloudfront/distribution:Distribution").inputs
    acl = prod.one("wafv2/webAcl:WebAcl").inputs
    assert (acl["scope"], acl["region"]) == ("CLOUDFRONT", "us-east-1")
    rate, *managed = acl["rules"]
    assert rate["statement"]["rateBasedStatement"] == {"limit": 500, "aggregateKeyType": "IP"}
    assert rate["action"] == {"block": {}}
    assert [rule["name"] for rule in managed] == [*firewall.MANAGED, firewall.COMMON]
    overrides = managed[-1]["statement"]["managedRuleGroupStatement"]["ruleActionOverrides"]
    assert {o["name"] for o in overrides} == set(firewall.COUNTED)
    assert all(o["actionToUse"] == {"count": {}} for o in overrides)
    assert prod.one("cloudfront/distribution:Distribution").inputs["webAclId"].startswith("arn:aws:wafv2:")
    groups = prod.of("cloudwatch/logGroup:LogGroup")
    (logs,) = [r for r in groups if str(r.inputs.get("namePrefix")).startswith("aws-waf-logs-")]
    assert logs.inputs["kmsKeyId"] == "arn:aws:kms:lesion-prod"
    logged = prod.one("wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration").inputs
    assert {field["singleHeader"]["name"] for field in logged["redactedFields"]} == {"cookie", "authorization"}


def test_the_container_is_asked_and_stopped_as_its_image_says(whole: Program) -> None:
    container = container_of(whole)
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert f"EXPOSE {balancer.PAGE_PORT}" in dockerfile
    assert container["portMappings"] == [{"containerPort": balancer.PAGE_PORT, "protocol": "tcp"}]
    assert gunicorn_conf.bind.endswith(f":{balancer.PAGE_PORT}")
    compile(container["healthCheck"]["command"][-1], "health check", "exec")
    assert f"127.0.0.1:{balancer.PAGE_PORT}{balancer.HEALTH_PATH}" in dockerfile
    assert balancer.HEALTH_PATH in container["healthCheck"]["command"][-1]
    assert whole.one("lb/targetGroup:TargetGroup").inputs["healthCheck"]["path"] == balancer.HEALTH_PATH
    assert container["stopTimeout"] > gunicorn_conf.graceful_timeout
    assert container["readonlyRootFilesystem"] is True
    assert container["linuxParameters"]["capabilities"] == {"drop": ["ALL"]}


def test_a_stack_for_people_runs_two_tasks_or_more_and_grows_with_the_load(dev: Program, prod: Program) -> None:
    for program, least, most, provider in ((dev, 1, 2, "FARGATE_SPOT"), (prod, 2, 8, "FARGATE")):
        service = program.one("ecs/service:Service")
        assert service.inputs["desiredCount"] == least
        assert service.ignored == ("desiredCount",)
        assert service.inputs["capacityProviderStrategies"] == [{"capacityProvider": provider, "weight": 1}]
        assert service.inputs["deploymentCircuitBreaker"] == {"enable": True, "rollback": True}
        assert service.inputs["deploymentMinimumHealthyPercent"] == 100
        assert service.inputs["enableExecuteCommand"] is False
        target = program.one("appautoscaling/target:Target").inputs
        assert (target["minCapacity"], target["maxCapacity"]) == (least, most)
        aims = {
            p.inputs["targetTrackingScalingPolicyConfiguration"]["predefinedMetricSpecification"][
                "predefinedMetricType"
            ]
            for p in program.of("appautoscaling/policy:Policy")
        }
        assert aims == {"ECSServiceAverageCPUUtilization", "ALBRequestCountPerTarget"}
    assert prod.one("lb/loadBalancer:LoadBalancer").inputs["enableDeletionProtection"] is True


def test_the_pages_role_may_ask_the_classifier_and_nothing_else(whole: Program) -> None:
    name = whole.one("ecs/service:Service").name
    (only,) = whole.statements(name)
    api = f"arn:aws:execute-api:us-east-1:{ACCOUNT}:abcdef"
    assert only["Action"] == ["execute-api:Invoke"]
    asked = {f"{api}/$default/{method}{path}" for path, method in METHODS.items() if path.startswith("/v1/")}
    assert set(only["Resource"]) == asked
    definition = whole.one("ecs/taskDefinition:TaskDefinition").inputs
    assert definition["taskRoleArn"] == f"arn:aws:iam:{name}"
    assert definition["executionRoleArn"] == f"arn:aws:iam:{name}-start"
    assert (definition["networkMode"], definition["runtimePlatform"]["cpuArchitecture"]) == ("awsvpc", "X86_64")
