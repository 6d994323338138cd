"""The policies that every stack must pass. A rule reads the inputs of resources and yields a sentence per violation.

`pulumi preview --policy-pack infra/policy_pack` applies them to a real stack. The tests apply them to the example
stacks, and to a resource that breaks each rule.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)

from infra.tags import KEYS

Props = Mapping[str, Any]
LONGEST_API_TIMEOUT_MS: Final = 30_000  # API Gateway's own, for HTTP APIs
EVERYWHERE: Final = {"0.0.0.0/0", "::/0"}
FEDERATED: Final = "sts:AssumeRoleWithWebIdentity"  # the roles of CI, which need no boundary

# How to read from each type of resource whether a key encrypts it.
ENCRYPTION: Final[Mapping[str, Callable[[Props], Any]]] = {
    "aws:ecr/repository:Repository": lambda p: any(c.get("kmsKey") for c in p.get("encryptionConfigurations") or ()),
    "aws:lambda/function:Function": lambda p: p.get("kmsKeyArn"),
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": lambda p: all(
        rule.get("applyServerSideEncryptionByDefault", {}).get("sseAlgorithm") for rule in p["rules"]
    ),
    "aws:secretsmanager/secret:Secret": lambda p: p.get("kmsKeyId"),
    "aws:sns/topic:Topic": lambda p: p.get("kmsMasterKeyId"),
    "aws:sqs/queue:Queue": lambda p: p.get("kmsMasterKeyId"),
}


def no_public_bucket(kind: str, props: Props) -> Iterator[str]:
    """Buckets are private."""
    if kind == "aws:s3/bucket:Bucket" and str(props.get("acl") or "private") != "private":
        yield f"The bucket has the ACL {props['acl']}: leave it out."
    if kind == "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock":
        for setting in ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"):
            if props.get(setting) is not True:
                yield f"{setting} is not set: every one of the four blocks must be."
    if kind == "aws:s3/bucketPolicy:BucketPolicy":
        for statement in _statements(props["policy"]):
            if statement["Effect"] == "Allow" and statement.get("Principal") in ("*", {"AWS": "*"}):
                yield "The bucket's policy allows every principal: name one."


def no_wildcard_on_wildcard(kind: str, props: Props) -> Iterator[str]:
    """No policy allows all actions of a service on all resources."""
    if kind not in ("aws:iam/policy:Policy", "aws:iam/rolePolicy:RolePolicy"):
        return
    for statement in _statements(props["policy"]):
        if statement["Effect"] != "Allow" or "*" not in _as_list(statement.get("Resource", ())):
            continue
        if statement.get("Sid") == "Workloads" and "aws:RequestedRegion" in json.dumps(statement.get("Condition")):
            continue  # the permissions boundary: it only limits
        for action in _as_list(statement.get("Action", ())):
            if action == "*" or action.endswith(":*"):
                yield f"{action} on every resource: name the actions, or the resources."


def encrypted(kind: str, props: Props) -> Iterator[str]:
    """Data at rest is encrypted, with the stack's own key where the service takes one."""
    if kind in ENCRYPTION and not ENCRYPTION[kind](props):
        yield "It is not encrypted with the stack's key: set the key."
    # The firewall's log is in CloudFront's region, where the stack may have no key.
    in_firewall = str(props.get("namePrefix") or "").startswith("aws-waf-logs-")
    if kind == "aws:cloudwatch/logGroup:LogGroup" and not props.get("kmsKeyId") and not in_firewall:
        yield "The log is not encrypted with the stack's key: set kms_key_id."


def log_retention(kind: str, props: Props) -> Iterator[str]:
    """Every log has a retention time."""
    if kind == "aws:cloudwatch/logGroup:LogGroup" and not props.get("retentionInDays"):
        yield "The log is kept for ever: set retention_in_days."


def tagged(kind: str, props: Props) -> Iterator[str]:
    """Every resource that takes tags has the stack's tags."""
    del kind
    if "tags" in props and (missing := [key for key in KEYS if not (props["tags"] or {}).get(key)]):
        yield f"It has no tag {', '.join(missing)}."


def over_tls(kind: str, props: Props) -> Iterator[str]:
    """Connections use TLS."""
    if kind == "aws:cloudfront/distribution:Distribution":
        for behaviour in (props["defaultCacheBehavior"], *(props.get("orderedCacheBehaviors") or ())):
            if behaviour["viewerProtocolPolicy"] not in ("redirect-to-https", "https-only"):
                yield "CloudFront answers without TLS: redirect to HTTPS."
        certificate = props["viewerCertificate"]
        own = not certificate.get("cloudfrontDefaultCertificate")
        if own and not str(certificate.get("minimumProtocolVersion") or "").startswith("TLSv1.2"):
            yield "CloudFront takes old versions of TLS: set minimum_protocol_version to TLSv1.2_2021."
    if kind == "aws:s3/bucketPolicy:BucketPolicy":
        denied = [s for s in _statements(props["policy"]) if s["Effect"] == "Deny"]
        if not any((s.get("Condition") or {}).get("Bool", {}).get("aws:SecureTransport") == "false" for s in denied):
            yield "The bucket's policy lets requests without TLS through: deny them."


def no_open_port(kind: str, props: Props) -> Iterator[str]:
    """No port is open to the internet, and load balancers are internal."""
    if kind == "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule" and EVERYWHERE & {
        props.get("cidrIpv4"),
        props.get("cidrIpv6"),
    }:
        yield "A port is open to every address: name a security group."
    if kind == "aws:ec2/securityGroup:SecurityGroup":
        for rule in props.get("ingress") or ():
            if EVERYWHERE & {*(rule.get("cidrBlocks") or ()), *(rule.get("ipv6CidrBlocks") or ())}:
                yield "A port is open to every address: name a security group."
    if kind == "aws:lb/loadBalancer:LoadBalancer" and props.get("internal") is not True:
        yield "The load balancer has public addresses: clients could go around CloudFront."


def signed_calls(kind: str, props: Props) -> Iterator[str]:
    """Every route of an API requires a signature (AWS_IAM)."""
    if kind == "aws:apigatewayv2/route:Route" and props.get("authorizationType") != "AWS_IAM":
        yield f"{props.get('routeKey')} answers unsigned calls: set authorization_type to AWS_IAM."


def has_permissions_boundary(kind: str, props: Props) -> Iterator[str]:
    """Every role has the permissions boundary, except those of CI."""
    if kind != "aws:iam/role:Role" or FEDERATED in props["assumeRolePolicy"]:
        return
    if not props.get("permissionsBoundary"):
        yield "The role has no permissions boundary: make it with infra.iam.role."


def timeouts_nest(resources: Iterable[tuple[str, Props]]) -> Iterator[str]:
    """The function's timeout is shorter than the API's, and the API's is within API Gateway's limit."""
    resources = list(resources)
    functions = [p["timeout"] for kind, p in resources if kind == "aws:lambda/function:Function"]
    for kind, props in resources:
        if kind != "aws:apigatewayv2/integration:Integration":
            continue
        api_ms = props.get("timeoutMilliseconds") or LONGEST_API_TIMEOUT_MS
        if api_ms > LONGEST_API_TIMEOUT_MS:
            yield f"The API waits {api_ms} ms: API Gateway allows {LONGEST_API_TIMEOUT_MS}."
        for timeout_s in functions:
            if 1000 * timeout_s >= api_ms:
                yield f"The function takes up to {timeout_s} s and the API waits {api_ms} ms: give the function less."


def buckets_blocked(resources: Iterable[tuple[str, Props]]) -> Iterator[str]:
    """Every bucket has the resources that make it private, encrypted, versioned and reachable only over TLS."""
    resources = list(resources)
    companions = (
        "BucketPublicAccessBlock",
        "BucketServerSideEncryptionConfiguration",
        "BucketPolicy",
        "BucketVersioning",
    )
    count = sum(kind == "aws:s3/bucket:Bucket" for kind, _ in resources)
    for name in companions:
        if sum(kind.endswith(f":{name}") for kind, _ in resources) < count:
            yield f"There are {count} buckets, and fewer of {name}."


@dataclass(frozen=True)
class Rule:
    """A rule that reads one resource at a time."""

    name: str
    check: Callable[[str, Props], Iterator[str]]


@dataclass(frozen=True)
class StackRule:
    """A rule that reads all resources together."""

    name: str
    check: Callable[[Iterable[tuple[str, Props]]], Iterator[str]]


RULES: Final = (
    Rule("no-public-bucket", no_public_bucket),
    Rule("no-wildcard-on-wildcard", no_wildcard_on_wildcard),
    Rule("encrypted", encrypted),
    Rule("log-retention", log_retention),
    Rule("tagged", tagged),
    Rule("over-tls", over_tls),
    Rule("no-open-port", no_open_port),
    Rule("signed-calls", signed_calls),
    Rule("permissions-boundary", has_permissions_boundary),
)
STACK_RULES: Final = (StackRule("timeouts-nest", timeouts_nest), StackRule("buckets-blocked", buckets_blocked))


def _policy(rule: Rule) -> Policy:
    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        for sentence in rule.check(args.resource_type, args.props):
            report(sentence, None)

    return ResourceValidationPolicy(rule.name, _description(rule), validate, EnforcementLevel.MANDATORY)


def _stack_policy(rule: StackRule) -> Policy:
    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        for sentence in rule.check([(resource.resource_type, resource.props) for resource in args.resources]):
            report(sentence, None)

    return StackValidationPolicy(rule.name, _description(rule), validate, EnforcementLevel.MANDATORY)


def _description(rule: Rule | StackRule) -> str:
    return str(rule.check.__doc__)


def _statements(policy: Any) -> list[dict[str, Any]]:
    document = json.loads(policy) if isinstance(policy, str) else policy
    return list(document["Statement"])


def _as_list(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


POLICIES: Final = [*map(_policy, RULES), *map(_stack_policy, STACK_RULES)]
