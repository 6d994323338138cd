"""The rules: the example stacks pass them, and each rule refuses a resource that breaks it."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from pulumi_policy import ResourceValidationArgs, ResourceValidationPolicy, StackValidationArgs, StackValidationPolicy

from infra.policies import POLICIES, RULES, STACK_RULES
from tests.infra.stacks import Program

BUCKET_POLICY = "aws:s3/bucketPolicy:BucketPolicy"
BLOCKED = dict.fromkeys(("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"), True)
WORKLOAD = json.dumps({"Statement": [{"Principal": {"Service": "lambda.amazonaws.com"}}]})


def statement(**parts: Any) -> dict[str, Any]:
    return {"policy": json.dumps({"Statement": [{"Effect": "Allow", **parts}]})}


def distribution(protocol: str = "redirect-to-https", **certificate: Any) -> dict[str, Any]:
    certificate = certificate or {"cloudfrontDefaultCertificate": True}
    return {"defaultCacheBehavior": {"viewerProtocolPolicy": protocol}, "viewerCertificate": certificate}


# rule, type, inputs that break it, a word of the sentence
BROKEN = [
    ("no-public-bucket", "aws:s3/bucket:Bucket", {"acl": "public-read"}, "public-read"),
    (
        "no-public-bucket",
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        {**BLOCKED, "blockPublicPolicy": False},
        "blockPublicPolicy",
    ),
    ("no-public-bucket", BUCKET_POLICY, statement(Principal="*", Action="s3:GetObject", Resource="b/*"), "principal"),
    ("no-wildcard-on-wildcard", "aws:iam/rolePolicy:RolePolicy", statement(Action="s3:*", Resource="*"), "s3:*"),
    ("no-wildcard-on-wildcard", "aws:iam/policy:Policy", statement(Action=["*"], Resource=["*"]), "every resource"),
    ("encrypted", "aws:ecr/repository:Repository", {"encryptionConfigurations": [{"encryptionType": "AES256"}]}, "key"),
    ("encrypted", "aws:lambda/function:Function", {"timeout": 3}, "key"),
    (
        "encrypted",
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        {"rules": [{}]},
        "key",
    ),
    ("encrypted", "aws:secretsmanager/secret:Secret", {}, "key"),
    ("encrypted", "aws:sns/topic:Topic", {}, "key"),
    ("encrypted", "aws:sqs/queue:Queue", {}, "key"),
    ("encrypted", "aws:cloudwatch/logGroup:LogGroup", {"retentionInDays": 7}, "key"),
    ("log-retention", "aws:cloudwatch/logGroup:LogGroup", {"kmsKeyId": "k"}, "for ever"),
    ("tagged", "aws:sns/topic:Topic", {"tags": {"Project": "p", "Stack": "s", "Stage": "dev"}}, "ManagedBy"),
    ("over-tls", "aws:cloudfront/distribution:Distribution", distribution("allow-all"), "without TLS"),
    (
        "over-tls",
        "aws:cloudfront/distribution:Distribution",
        distribution(acmCertificateArn="a", minimumProtocolVersion="TLSv1"),
        "old versions",
    ),
    (
        "over-tls",
        BUCKET_POLICY,
        statement(Principal={"AWS": "a"}, Action="s3:GetObject", Resource="b/*"),
        "without TLS",
    ),
    (
        "no-open-port",
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
        {"cidrIpv4": "0.0.0.0/0"},
        "every address",
    ),
    (
        "no-open-port",
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
        {"cidrIpv6": "::/0"},
        "every address",
    ),
    (
        "no-open-port",
        "aws:ec2/securityGroup:SecurityGroup",
        {"ingress": [{"cidrBlocks": ["0.0.0.0/0"]}]},
        "every address",
    ),
    ("no-open-port", "aws:lb/loadBalancer:LoadBalancer", {"internal": False}, "around CloudFront"),
    ("signed-calls", "aws:apigatewayv2/route:Route", {"routeKey": "GET /v1/model"}, "unsigned calls"),
    ("permissions-boundary", "aws:iam/role:Role", {"assumeRolePolicy": WORKLOAD}, "no permissions boundary"),
]
FUNCTION, INTEGRATION = "aws:lambda/function:Function", "aws:apigatewayv2/integration:Integration"
BROKEN_TOGETHER = [
    ("timeouts-nest", [(FUNCTION, {"timeout": 29}), (INTEGRATION, {"timeoutMilliseconds": 29_000})], "up to 29 s"),
    ("timeouts-nest", [(INTEGRATION, {"timeoutMilliseconds": 31_000})], "31000"),
    ("buckets-blocked", [("aws:s3/bucket:Bucket", {})], "BucketPublicAccessBlock"),
]


def _reporter(found: list[str]) -> Callable[[str, str | None], None]:
    """Make the function by which a rule reports a sentence about a resource."""

    def report(sentence: str, urn: str | None = None) -> None:
        found.append(sentence)

    return report


def violations(name: str, kind: str, props: dict[str, Any]) -> list[str]:
    """Apply a rule as Pulumi does."""
    (policy,) = [p for p in POLICIES if p.name == name and isinstance(p, ResourceValidationPolicy)]
    found: list[str] = []
    args: Any = ResourceValidationArgs(kind, props, "urn", "name", opts=None, provider=None)  # type: ignore[arg-type]
    policy.validate(args, _reporter(found))
    return found


def violations_together(name: str, resources: list[tuple[str, dict[str, Any]]]) -> list[str]:
    class Resource:
        def __init__(self, kind: str, props: dict[str, Any]) -> None:
            self.resource_type, self.props = kind, props

    (policy,) = [p for p in POLICIES if p.name == name and isinstance(p, StackValidationPolicy)]
    found: list[str] = []
    made: list[Any] = [Resource(kind, props) for kind, props in resources]
    policy.validate(StackValidationArgs(made), _reporter(found))
    return found


@pytest.mark.parametrize(("name", "kind", "props", "word"), BROKEN)
def test_a_resource_that_breaks_a_rule_is_refused_with_a_reason(
    name: str, kind: str, props: dict[str, Any], word: str
) -> None:
    (sentence,) = violations(name, kind, props)
    assert word in sentence


@pytest.mark.parametrize(("name", "resources", "word"), BROKEN_TOGETHER)
def test_resources_that_break_a_rule_together_are_refused(
    name: str, resources: list[tuple[str, dict[str, Any]]], word: str
) -> None:
    assert word in violations_together(name, resources)[0]


def test_every_rule_has_a_resource_that_breaks_it() -> None:
    assert {name for name, *_ in BROKEN} == {rule.name for rule in RULES}
    assert {name for name, *_ in BROKEN_TOGETHER} == {rule.name for rule in STACK_RULES}
    assert len(POLICIES) == len(RULES) + len(STACK_RULES)


def test_the_example_stacks_pass_every_rule(program: Program) -> None:
    made = [(resource.type, resource.inputs) for resource in program.resources if resource.custom]
    for rule in RULES:
        assert [(kind, said) for kind, props in made for said in violations(rule.name, kind, props)] == []
    for stack_rule in STACK_RULES:
        assert violations_together(stack_rule.name, made) == []
