"""The whole program: the steps from an empty account to a page, and properties of all resources."""

import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pulumi_aws as aws
import pytest

from infra.config import PROJECT
from infra.terraform_check.program_run import Resource
from operations.deployment import ALIAS, Deployment, parameter_of, parse_deployment
from tests.infra.stacks import IMAGES, Program, deployed, run, stack_file

ROOT = Path(__file__).parents[2]
HOLDS_DATA = ("lesion-dev-data", "lesion-dev-models", "lesion-dev-access-logs")
# What AWS lets an account have once, by the input that names it; a name without the stack in it would collide.
NAMED_BY = ("name", "namePrefix", "modelPackageGroupName", "dashboardName", "deploymentGroupName", "family")


def test_the_first_deployment_needs_no_image_and_no_model_and_names_the_next_step(first: Program) -> None:
    kinds = {resource.type.split(":")[1].split("/")[0] for resource in first.resources if resource.custom}
    assert kinds == {"s3", "kms", "ecr", "iam", "sns", "budgets", "sagemaker", "cloudwatch"}
    assert "push both images" in first.outputs["nextSteps"]
    assert first.outputs["classifyRepository"].startswith("123456789012.dkr.ecr.")
    assert {"dataBucket", "modelsBucket", "pageRepository", "deployRoleArn"} <= set(first.outputs)
    assert first.of("ssm/parameter:Parameter") == []  # there is no function yet that commands could use


def test_the_function_can_come_before_the_page() -> None:
    config = {**stack_file("dev"), f"{PROJECT}:classifyImage": IMAGES["classifyImage"]}
    program = run("dev", config)
    assert program.error is None
    assert program.of("lambda/function:Function")
    assert program.of("ecs/service:Service") == []
    assert "There is no page yet" in program.outputs["nextSteps"]
    assert json.loads(program.one("ssm/parameter:Parameter").inputs["value"])["page_url"] is None


def test_a_complete_stack_says_that_it_needs_a_model(dev: Program) -> None:
    assert "the API answers 503" in dev.outputs["nextSteps"]
    assert dev.outputs["pageUrl"] == "https://d1234.cloudfront.net"


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_the_command_line_understands_the_parameter_of_the_stack(stack: str, request: pytest.FixtureRequest) -> None:
    program: Program = request.getfixturevalue(stack)
    parameter = program.one("ssm/parameter:Parameter")
    assert parameter.inputs["name"] == parameter_of(stack)
    published = json.loads(parameter.inputs["value"])
    assert set(published) == set(Deployment.model_fields)
    deployment = parse_deployment(parameter.inputs["value"], stack)
    assert deployment.alias == ALIAS == program.one("lambda/alias:Alias").inputs["name"]
    assert deployment.models_bucket == program.outputs["modelsBucket"]
    assert deployment.data_bucket == program.outputs["dataBucket"]
    assert deployment.api_url == program.outputs["apiUrl"]
    assert deployment.page_url == program.outputs["pageUrl"]
    assert deployment.function_name == f"lesion-{stack}-classify-0a1b2c3"
    assert deployment.model_package_group == f"lesion-{stack}"
    assert deployment.training_role_arn == f"arn:aws:iam:lesion-{stack}-training"
    assert deployment.training_kms_key_arn == f"arn:aws:kms:lesion-{stack}"
    assert deployment.batches_state_machine_arn == f"arn:aws:sfn:lesion-{stack}-batches"
    assert deployment.tags["Stack"] == stack
    in_vpc = stack == "prod"
    assert (len(deployment.training_subnets), len(deployment.training_security_groups)) == (
        (2, 1) if in_vpc else (0, 0)
    )


def test_every_taggable_resource_has_the_tags_of_the_stack(program: Program) -> None:
    tagged = [r for r in program.resources if r.custom and _takes_tags(r.type)]
    assert len(tagged) > 10
    for resource in tagged:
        tags = resource.inputs["tags"]
        assert tags["Project"] == PROJECT
        assert tags["ManagedBy"] == "pulumi"
        assert tags["Stack"] == tags["Stage"] == resource.name.split("-")[1]


def test_further_tags_are_added() -> None:
    program = deployed("dev", extraTags=json.dumps({"Owner": "ann"}))
    assert program.one("lambda/function:Function").inputs["tags"]["Owner"] == "ann"


def test_buckets_and_the_key_are_protected_and_kept(dev: Program) -> None:
    kept = {r.name for r in dev.resources if r.protect and r.retained}
    assert kept == {*HOLDS_DATA, "lesion-dev"}
    assert dev.one("kms/key:Key").protect
    assert not any(r.inputs["forceDestroy"] for r in dev.of("s3/bucket:Bucket"))
    assert not any(r.inputs["forceDelete"] for r in dev.of("ecr/repository:Repository"))


def test_a_stack_without_protection_leaves_nothing() -> None:
    program = deployed("dev", protectData="false")
    assert not [r.name for r in program.resources if r.protect or r.retained]
    assert all(r.inputs["forceDestroy"] for r in program.of("s3/bucket:Bucket"))
    assert all(r.inputs["forceDelete"] for r in program.of("ecr/repository:Repository"))


def test_two_stacks_of_one_account_share_no_name(dev: Program, prod: Program) -> None:
    once = {named for r in dev.resources for named in _names(r)} & {
        named for r in prod.resources for named in _names(r)
    }
    # An alias is a function's own, and a stage an API's own.
    assert once == {("aws:lambda/alias:Alias", "live"), ("aws:apigatewayv2/stage:Stage", "$default")}


def test_only_the_stack_that_owns_the_account_creates_what_the_account_has_once(dev: Program, prod: Program) -> None:
    for kind, name in (
        ("iam/openIdConnectProvider:OpenIdConnectProvider", None),
        ("cloudwatch/logGroup:LogGroup", "lesion-dev-jobs"),
    ):
        assert dev.one(kind, name)
    assert prod.of("iam/openIdConnectProvider:OpenIdConnectProvider") == []
    assert not [
        r for r in prod.of("cloudwatch/logGroup:LogGroup") if r.inputs.get("name") == "/aws/sagemaker/TrainingJobs"
    ]


def test_a_resource_with_a_role_waits_for_the_policy_of_the_role(prod: Program) -> None:
    takers = (
        ("lambda/function:Function", "lesion-prod-classify", ""),
        ("sfn/stateMachine:StateMachine", "lesion-prod-batches", ""),
        ("codedeploy/deploymentGroup:DeploymentGroup", "lesion-prod-classify", "-shift"),
        ("ecs/taskDefinition:TaskDefinition", "lesion-prod-page", ""),
        ("ec2/flowLog:FlowLog", "lesion-prod-flows", ""),
    )
    for kind, name, of_role in takers:
        waited = {urn.split("$")[-1] for urn in prod.one(kind, name).waits_for}
        assert f"aws:iam/rolePolicy:RolePolicy::{name}{of_role}" in waited, kind


def test_logging_starts_only_after_the_bucket_policy_allows_it(prod: Program) -> None:
    for kind in ("s3/bucketLogging:BucketLogging", "lb/loadBalancer:LoadBalancer"):
        for resource in prod.of(kind):
            waited = {urn.split("$")[-1] for urn in resource.waits_for}
            assert "aws:s3/bucketPolicy:BucketPolicy::lesion-prod-access-logs" in waited, resource.name


def test_every_resource_is_in_a_component(program: Program) -> None:
    for resource in program.resources:
        if resource.custom:
            assert "$analyzer:" in resource.parent, resource.name


def test_the_entry_creates_no_resource_itself() -> None:
    text = (ROOT / "infra" / "__main__.py").read_text()
    assert "aws.get_caller_identity()" in text
    assert text.count("aws.") == text.count("aws.get_") + text.count("pulumi_aws as aws.")


def _takes_tags(token: str) -> bool:
    module, kind = token.removeprefix("aws:").split("/")[0], token.split(":")[-1]
    module = {"lambda": "lambda_", "index": ""}.get(module, module)
    made: Any = getattr(getattr(aws, module), kind)
    return "tags" in inspect.signature(made._internal_init).parameters


def _names(resource: Resource) -> Iterator[tuple[str, str]]:
    if resource.custom:
        for key in NAMED_BY:
            if isinstance(name := resource.inputs.get(key), str) and "0a1b2c3" not in name:
                yield resource.type, name
