"""What a stack may be asked to be: bad configuration is refused in a sentence, before anything is registered."""

import json
import re
from pathlib import Path

import pytest

from infra.config import API_TIMEOUT_S, ConfigurationError, StackConfig, read_config
from tests.infra.stacks import IMAGES, PROJECT, REGISTRY, run, stack_file

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
def test_a_stack_whose_name_does_not_fit_into_names_is_refused(stack: str) -> None:
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


def test_without_any_key_a_stack_is_the_cheapest_one() -> None:
    config = read_config("dev", "us-east-1", {"aws:region": "us-east-1", "other:key": "1"})
    assert config == StackConfig()
    assert (config.nat_gateways, config.provisioned_concurrency, config.page_tasks_min) == (0, 0, 1)
    assert config.function_timeout_s < API_TIMEOUT_S
