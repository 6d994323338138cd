"""The roles of CI: no stored secret, and one repository and one environment for each role."""

import fnmatch
import json
from typing import Any

import pytest

from infra.access import deploy_policy, preview_policy
from infra.access.deploy_policy import PASSED_TO
from infra.terraform_check.program_run import Resource
from tests.infra.stacks import ACCOUNT, Program

KINDS = ("preview", "deploy", "models")
# The IAM name of each service whose resources the program makes, by Pulumi's module; no other may be granted.
SERVICES = {
    "apigatewayv2": "apigateway", "appautoscaling": "application-autoscaling", "budgets": "budgets",
    "cloudfront": "cloudfront", "codedeploy": "codedeploy", "ec2": "ec2", "ecr": "ecr", "ecs": "ecs", "iam": "iam",
    "kms": "kms", "lambda": "lambda", "lb": "elasticloadbalancing", "s3": "s3", "sagemaker": "sagemaker",
    "scheduler": "scheduler", "secretsmanager": "secretsmanager", "sfn": "states", "sns": "sns", "sqs": "sqs",
    "ssm": "ssm", "vpc": "ec2", "wafv2": "wafv2",
}  # fmt: skip


def role(program: Program, kind: str) -> Resource:
    (found,) = [r for r in program.of("iam/role:Role") if r.name.endswith(f"-ci-{kind}")]
    return found


def granted(program: Program, kind: str) -> list[dict[str, Any]]:
    """List all statements of the policies that are attached to a role of CI."""
    documents = [r for r in program.of("iam/policy:Policy") if f"-ci-{kind}-" in r.name]
    attached = [r for r in program.of("iam/rolePolicyAttachment:RolePolicyAttachment") if f"-ci-{kind}-" in r.name]
    assert len(documents) == len(attached) > 0
    return [statement for document in documents for statement in document.json("policy")["Statement"]]


def listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def may(statements: list[dict[str, Any]], action: str, resource: str) -> bool:
    """Tell whether statements allow an action, if all their conditions are met."""

    def fits(statement: dict[str, Any]) -> bool:
        return any(fnmatch.fnmatchcase(action, pattern) for pattern in listed(statement["Action"])) and any(
            fnmatch.fnmatchcase(resource, pattern) for pattern in listed(statement["Resource"])
        )

    effects = {statement["Effect"] for statement in statements if fits(statement)}
    return effects == {"Allow"}


@pytest.mark.parametrize(
    ("kind", "environment"), [("preview", "dev-preview"), ("deploy", "dev"), ("models", "dev-models")]
)
def test_each_role_is_for_one_environment_of_one_repository(kind: str, environment: str, dev: Program) -> None:
    (trust,) = role(dev, kind).json("assumeRolePolicy")["Statement"]
    assert trust["Action"] == "sts:AssumeRoleWithWebIdentity"
    assert trust["Principal"] == {"Federated": "arn:aws:iam:lesion-dev-ci"}
    assert trust["Condition"] == {
        "StringEquals": {
            "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
            "token.actions.githubusercontent.com:sub": f"repo:ann/lesions:environment:{environment}",
        }
    }


def test_a_second_stack_of_the_account_uses_the_same_provider(dev: Program, prod: Program) -> None:
    provider = dev.one("iam/openIdConnectProvider:OpenIdConnectProvider").inputs
    assert (provider["url"], provider["clientIdLists"]) == (
        "https://token.actions.githubusercontent.com",
        ["sts.amazonaws.com"],
    )
    (trust,) = role(prod, "deploy").json("assumeRolePolicy")["Statement"]
    assert trust["Principal"]["Federated"].startswith(f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.")


def test_the_preview_role_only_reads_and_reads_no_data(dev: Program) -> None:
    statements = granted(dev, "preview")
    assert {s["Effect"] for s in statements} == {"Allow"}
    verbs = ("Describe", "Get", "List", "View", "GET")
    for statement in statements:
        for action in listed(statement["Action"]):
            assert action.split(":")[1].startswith(verbs), action
    for data in (
        "s3:GetObject",
        "secretsmanager:GetSecretValue",
        "logs:GetLogEvents",
        "kms:Decrypt",
        "sqs:ReceiveMessage",
    ):
        assert not may(statements, data, "arn:aws:s3:::lesion-dev-data-0a1b2c3/pictures/a.jpg"), data
    assert may(statements, "s3:GetObject", "arn:aws:s3:::ann-state/.pulumi/stacks/dev.json")
    assert not may(statements, "s3:PutObject", "arn:aws:s3:::ann-state/.pulumi/stacks/dev.json")


def test_a_deployment_uses_only_the_services_of_the_program(dev: Program, prod: Program) -> None:
    made = {r.type.split(":")[1].split("/")[0] for p in (dev, prod) for r in p.resources if r.custom}
    needed = {SERVICES.get(module, module) for module in made - {"cloudwatch"}} | {"cloudwatch", "events", "logs"}
    allowed = [s for s in granted(prod, "deploy") if s["Effect"] == "Allow"]
    writes = {a.split(":")[0] for s in allowed if s["Sid"] != "ReadConfiguration" for a in listed(s["Action"])}
    assert writes == needed
    assert {a.split(":")[0] for a in preview_policy.READS} <= needed | {"sts", "elasticloadbalancing"}


def test_a_deployment_reaches_this_stack_and_not_another(dev: Program) -> None:
    statements = granted(dev, "deploy")
    at = f"us-east-1:{ACCOUNT}"
    for action, resource in (
        ("lambda:UpdateFunctionCode", f"arn:aws:lambda:{at}:function:lesion-{{}}-classify-1"),
        ("s3:DeleteBucket", "arn:aws:s3:::lesion-{}-data-1"),
        ("ecr:PutImage", f"arn:aws:ecr:{at}:repository/lesion-{{}}-page-1"),
        ("ecs:UpdateService", f"arn:aws:ecs:{at}:service/lesion-{{}}-page-1/lesion-{{}}-page-1"),
        ("ssm:PutParameter", f"arn:aws:ssm:{at}:parameter/skin-lesion-analyzer/{{}}/deployment"),
        ("secretsmanager:PutSecretValue", f"arn:aws:secretsmanager:{at}:secret:lesion-{{}}-page-1"),
        ("iam:CreateRole", f"arn:aws:iam::{ACCOUNT}:role/lesion-{{}}-classify-1"),
    ):
        assert may(statements, action, resource.replace("{}", "dev")), action
        assert not may(statements, action, resource.replace("{}", "prod")), action


def test_a_deployment_creates_roles_only_inside_the_boundary_and_cannot_change_its_own(
    dev: Program,
) -> None:
    statements = granted(dev, "deploy")
    boundary = "arn:aws:iam:lesion-dev-boundary"
    (bounded,) = [s for s in statements if s["Sid"] == "CreateRolesInsideBoundary"]
    assert bounded["Condition"] == {"StringEquals": {"iam:PermissionsBoundary": boundary}}
    assert "iam:CreateRole" in bounded["Action"]
    for action in ("iam:PutRolePolicy", "iam:AttachRolePolicy", "iam:UpdateAssumeRolePolicy", "iam:DeleteRole"):
        assert not may(statements, action, f"arn:aws:iam::{ACCOUNT}:role/lesion-dev-ci-deploy"), action
    for action in ("iam:CreatePolicyVersion", "iam:DeletePolicy", "iam:SetDefaultPolicyVersion"):
        assert not may(statements, action, boundary), action
        assert not may(statements, action, f"arn:aws:iam::{ACCOUNT}:policy/lesion-dev-ci-deploy-trusts-1"), action
    assert not may(
        statements, "iam:DeleteRolePermissionsBoundary", f"arn:aws:iam::{ACCOUNT}:role/lesion-dev-classify-1"
    )
    for action in (
        "iam:CreateUser",
        "iam:CreateAccessKey",
        "iam:CreateOpenIDConnectProvider",
        "organizations:LeaveOrganization",
    ):
        assert not may(statements, action, "*"), action


def test_a_deployment_passes_roles_only_to_services_of_the_program(dev: Program, prod: Program) -> None:
    taken = set()
    for program in (dev, prod):
        for r in program.of("iam/role:Role"):
            (trust,) = r.json("assumeRolePolicy")["Statement"]
            taken |= {trust["Principal"]["Service"]} if "Service" in trust["Principal"] else set()
    assert taken - {"sagemaker.amazonaws.com"} == set(PASSED_TO)  # SageMaker's is handed on by `lesion retrain`
    (passed,) = [s for s in granted(dev, "deploy") if s["Sid"] == "PassRoles"]
    assert set(passed["Condition"]["StringEquals"]["iam:PassedToService"]) == set(PASSED_TO)


def test_the_models_role_can_move_the_alias_and_cannot_change_the_code(dev: Program) -> None:
    statements = granted(dev, "models")
    function = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:lesion-dev-classify-1"
    for action in ("lambda:UpdateFunctionConfiguration", "lambda:PublishVersion", "lambda:UpdateAlias"):
        assert may(statements, action, function), action
    for action in ("lambda:UpdateFunctionCode", "lambda:DeleteFunction", "lambda:AddPermission"):
        assert not may(statements, action, function), action
    assert may(statements, "sagemaker:CreateTrainingJob", f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:training-job/x")
    assert not may(statements, "s3:GetObject", "arn:aws:s3:lesion-dev-data/pictures/a.jpg")
    assert may(statements, "s3:GetObject", "arn:aws:s3:lesion-dev-data/ham10000/a.jpg")


@pytest.mark.parametrize("kind", KINDS)
def test_no_policy_is_longer_than_aws_allows(kind: str, prod: Program) -> None:
    documents = [r.inputs["policy"] for r in prod.of("iam/policy:Policy") if f"-ci-{kind}-" in r.name]
    assert documents
    assert len(documents) <= 10  # attached to one role
    for text in documents:
        assert (
            len(json.dumps(json.loads(text), separators=(",", ":"))) <= 5800
        )  # AWS takes 6,144; real names are a little longer


def test_every_role_of_a_workload_is_inside_the_boundary(prod: Program) -> None:
    workloads = [r for r in prod.of("iam/role:Role") if "-ci-" not in r.name]
    assert len(workloads) >= 8
    assert {r.inputs["permissionsBoundary"] for r in workloads} == {"arn:aws:iam:lesion-prod-boundary"}
    allowed, passing, denied = prod.one("iam/policy:Policy", "lesion-prod-boundary").json("policy")["Statement"]
    for r in workloads:
        for statement in prod.statements(r.name):
            for action in listed(statement["Action"]):
                inside = [*allowed["Action"], *passing["Action"]]
                assert any(fnmatch.fnmatchcase(action, pattern) for pattern in inside), f"{r.name}: {action}"
    assert not [a for a in allowed["Action"] if a.startswith(("iam:", "organizations:", "sts:"))]
    assert denied["Effect"] == "Deny"


def test_no_action_is_listed_twice() -> None:
    for actions in (deploy_policy.NETWORK, deploy_policy.EDGE, deploy_policy.UNNAMED, preview_policy.READS):
        assert len(set(actions)) == len(actions)
