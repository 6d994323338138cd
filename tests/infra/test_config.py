"""Every configuration key changes the program, and a bad configuration is refused before anything is registered."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from infra.config import API_TIMEOUT_S, PROJECT, ConfigurationError, StackConfig, read_config
from tests.infra.stacks import IMAGES, REGISTRY, Program, deployed, run, stack_file

ROOT = Path(__file__).parents[2]
CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/0a1b"

REFUSED = [
    ({"colour": "red"}, "There is no configuration key colour"),
    ({"stage": "test"}, "stage: input should be 'dev' or 'prod'"),
    ({"functionTimeoutS": "29"}, "functionTimeoutS is 29: it must be below the 29 s"),
    ({"functionTimeoutS": "soon"}, "functionTimeoutS: input should be a valid integer"),
    ({"functionMemoryMb": "100"}, "functionMemoryMb: input should be greater than or equal to 512"),
    ({"classifyImage": "lesion-classify:1"}, "is not an image that can be deployed"),
    ({"classifyImage": f"{REGISTRY}/lesion-classify"}, "is not an image that can be deployed"),
    ({"classifyImage": f"{REGISTRY}/lesion-classify:latest"}, "`latest` can be another image every day"),
    ({"classifyImage": IMAGES["classifyImage"].replace("us-east-1", "eu-west-1")}, "another region than the stack"),
    ({"pageImage": IMAGES["pageImage"]}, "pageImage is set and classifyImage is not"),
    ({"vpcCidr": "10.20.0.0/99"}, "vpcCidr: input is not a valid IPv4 network"),
    ({"vpcCidr": "8.8.0.0/16"}, "is not a private network"),
    ({"vpcCidr": "10.20.0.0/28"}, "is not a private network"),
    ({"pageCpu": "300"}, "Fargate offers 256, 512"),
    ({"pageMemoryMb": "4096"}, "with pageCpu 256 Fargate takes 512 to 2048"),
    ({"pageTasksMax": "0"}, "pageTasksMax: input should be greater than"),
    ({"pageTasksMin": "3"}, "pageTasksMax is 2: it must be at least pageTasksMin"),
    ({"provisionedConcurrency": "9", "functionReservedConcurrency": "8"}, "must be within functionReservedConcurrency"),
    ({"batchConcurrency": "8", "functionReservedConcurrency": "8"}, "must be below functionReservedConcurrency"),
    ({"batchSize": "101"}, "batchSize: input should be less than or equal to 100"),
    ({"trainingInVpc": "true"}, "trainingInVpc needs natGateways"),
    ({"pageDomain": "lesions.example.org"}, "pageDomain and pageCertificateArn go together"),
    ({"pageDomain": "not a host", "pageCertificateArn": CERTIFICATE}, "is not a host name"),
    ({"pageDomain": "a.example.org", "pageCertificateArn": CERTIFICATE.replace("us-", "eu-")}, "of us-east-1"),
    ({"pageDomain": "a.example.org", "pageCertificateArn": "mine"}, "is not the ARN of an ACM certificate"),
    ({"originCertificateArn": CERTIFICATE}, "originCertificateArn is a certificate of pageDomain"),
    ({"logRetentionDays": "31"}, "CloudWatch keeps logs only for"),
    ({"alarmEmail": "somebody"}, "is not an e-mail address"),
    ({"retrainSchedule": "every day"}, "is not a schedule"),
    ({"githubRepository": "lesions"}, "githubRepository: string should match pattern"),
    ({"extraTags": "Owner=me"}, "extraTags is not an object"),
    ({"extraTags": json.dumps({"Stack": "other"})}, "extraTags may not replace"),
    ({"stage": "prod"}, "needs alarmEmail"),
    ({"stage": "prod", "alarmEmail": "a@example.org"}, "needs pageTasksMin of at least 2"),
    ({"stage": "prod", "alarmEmail": "a@example.org", "pageTasksMin": "2", "protectData": "false"}, "keeps its data"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("keys", "sentence"), REFUSED, ids=lambda value: "+".join(value) if isinstance(value, dict) else None
)
def test_bad_configuration_is_refused_in_a_sentence_before_anything_is_registered(
    keys: dict[str, str], sentence: str
) -> None:
    program = run("dev", {"aws:region": "us-east-1", **{f"{PROJECT}:{key}": value for key, value in keys.items()}})
    assert program.resources == []
    assert type(program.error).__name__ == "RunError"  # which Pulumi prints without a traceback
    assert sentence in str(program.error)
    assert re.fullmatch(r"[^\n]+[.]", str(program.error))


@pytest.mark.parametrize("stack", ["Dev", "dev-2", "2dev", "averyverylongname", ""])
def test_a_stack_name_that_does_not_fit_into_resource_names_is_refused(stack: str) -> None:
    with pytest.raises(ConfigurationError, match="does not fit into resource names"):
        read_config(stack, "us-east-1", {})


def test_a_stack_without_a_region_is_refused() -> None:
    program = run("dev", {})
    assert program.resources == []
    assert "No region is set" in str(program.error)


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_the_example_stacks_can_be_deployed(stack: str) -> None:
    config = read_config(stack, "us-east-1", stack_file(stack))
    assert config.stage == stack


def test_the_defaults_are_the_cheapest_stack() -> None:
    config = read_config("dev", "us-east-1", {"aws:region": "us-east-1", "other:key": "1"})
    assert config == StackConfig()
    assert (config.nat_gateways, config.provisioned_concurrency, config.page_tasks_min) == (0, 0, 1)
    assert config.function_timeout_s < API_TIMEOUT_S


def test_a_stack_that_owns_the_account_creates_what_the_account_has_once() -> None:
    def once(owns_account: str) -> list[str]:
        program = deployed("dev", githubRepository="ann/lesions", ownsAccount=owns_account)
        providers = program.of("iam/openIdConnectProvider:OpenIdConnectProvider")
        logs = [r for r in program.of("cloudwatch/logGroup:LogGroup") if r.name == "lesion-dev-jobs"]
        return [r.name for r in (*providers, *logs)]

    assert once("true") == ["lesion-dev-ci", "lesion-dev-jobs"]
    assert once("false") == []


def test_the_upload_limit_is_the_pages_environment() -> None:
    container: Any = deployed("dev", pageMaxUploadMb="8").one("ecs/taskDefinition:TaskDefinition")
    (page,) = container.json("containerDefinitions")
    assert {"name": "MAX_UPLOAD_MB", "value": "8"} in page["environment"]


def test_the_firewall_blocks_an_address_above_its_rate() -> None:
    rate, *_ = deployed("dev", firewall="true", firewallRate="77").one("wafv2/webAcl:WebAcl").inputs["rules"]
    assert rate["statement"]["rateBasedStatement"]["limit"] == 77


def test_the_budget_and_its_address_come_from_the_configuration() -> None:
    program = deployed("dev", monthlyBudgetUsd="7", alarmEmail="ann@example.org")
    assert program.one("budgets/budget:Budget").inputs["limitAmount"] == "7"
    assert program.one("sns/topicSubscription:TopicSubscription").inputs["endpoint"] == "ann@example.org"


def test_the_size_and_the_number_of_tasks_come_from_the_configuration() -> None:
    program = deployed("dev", pageCpu="512", pageMemoryMb="4096", pageTasksMin="3", pageTasksMax="9")
    task = program.one("ecs/taskDefinition:TaskDefinition").inputs
    assert (task["cpu"], task["memory"]) == ("512", "4096")
    target = program.one("appautoscaling/target:Target").inputs
    assert (target["minCapacity"], target["maxCapacity"]) == (3, 9)


def test_the_stage_protects_the_load_balancer_and_is_a_tag() -> None:
    program = deployed("dev", stage="prod", alarmEmail="ann@example.org", pageTasksMin="2")
    balancer = program.one("lb/loadBalancer:LoadBalancer").inputs
    assert (balancer["enableDeletionProtection"], balancer["tags"]["Stage"]) == (True, "prod")


def test_training_in_the_network_uses_its_private_subnets() -> None:
    def subnets(program: Program) -> list[str]:
        found: list[str] = program.one("ssm/parameter:Parameter").json("value")["training_subnets"]
        return found

    assert subnets(deployed("dev", natGateways="1")) == []
    inside = subnets(deployed("dev", natGateways="1", trainingInVpc="true"))
    assert inside == ["lesion-dev-private-0-id", "lesion-dev-private-1-id"]


def test_every_key_is_named_in_a_test_of_the_program() -> None:
    """That a key is refused is not enough: a test must deploy a stack with it, and see what it changes."""
    tests = "".join(path.read_text() for path in (ROOT / "tests" / "infra").rglob("test_*.py"))
    tests += (ROOT / "tests" / "infra" / "conftest.py").read_text() + (
        ROOT / "tests" / "infra" / "stacks.py"
    ).read_text()
    given = re.sub(r"REFUSED = \[.*?\n\]", "", tests, flags=re.DOTALL)
    keys = {str(field.alias) for field in StackConfig.model_fields.values()}
    assert {key for key in keys if not re.search(rf'\b{key}=|"{key}"', given)} == set()
