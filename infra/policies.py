"""What no stack may be without, as rules that read what is about to be made.

`pulumi preview --policy-pack infra/policy_pack` asks them of a real stack, the tests of the program under mocks, and of
a resource that breaks each. A rule yields a sentence for whatever it finds wrong.
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
ROLES_OF_PEOPLE_AND_CI: Final = "sts:AssumeRoleWithWebIdentity"  # their limits are their policies

# Where each kind of resource says which key encrypts it.
KEYS_OF: Final[Mapping[str, Callable[[Props], Any]]] = {
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
    """Buckets are private, whatever anybody writes into a policy later."""
    if kind == "aws:s3/bucket:Bucket" and str(props.get("acl") or "private") != "private":
        yield f"The bucket has the ACL {props['acl']}: leave it out."
    if kind == "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock":
        for setting in ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"):
            if props.get(setting) is not True:
                yield f"{setting} is not set: every one of the four blocks must be."
    if kind == "aws:s3/bucketPolicy:BucketPolicy":
        for statement in _statements(props["policy"]):
            if statement["Effect"] == "Allow" and statement.get("Principal") in ("*", {"AWS": "*"}):
                yield "The bucket's policy allows everybody: name who."


def no_wildcard_on_wildcard(kind: str, props: Props) -> Iterator[str]:
    """No role may do everything a service does to everything there is."""
    if kind not in ("aws:iam/policy:Policy", "aws:iam/rolePolicy:RolePolicy"):
        return
    for statement in _statements(props["policy"]):
        if statement["Effect"] != "Allow" or "*" not in _listed(statement.get("Resource", ())):
            continue
        if statement.get("Sid") == "WhatRunsHere" and "aws:RequestedRegion" in json.dumps(statement.get("Condition")):
            continue  # the permissions boundary: it limits and grants nothing
        for action in _listed(statement.get("Action", ())):
            if action == "*" or action.endswith(":*"):
                yield f"{action} on every resource: name the actions, or the resources."


def encrypted(kind: str, props: Props) -> Iterator[str]:
    """What is kept is encrypted, with the stack's own key where the service takes one."""
    if kind in KEYS_OF and not KEYS_OF[kind](props):
        yield "It is not encrypted with a key of ours: give it the stack's."
    in_firewall = str(props.get("namePrefix") or "").startswith(
        "aws-waf-logs-"
    )  # CloudFront's region has no key of ours
    if kind == "aws:cloudwatch/logGroup:LogGroup" and not props.get("kmsKeyId") and not in_firewall:
        yield "The log is not encrypted with a key of ours: give it the stack's."


def kept_for_a_time(kind: str, props: Props) -> Iterator[str]:
    """Nothing is kept for ever by oversight."""
    if kind == "aws:cloudwatch/logGroup:LogGroup" and not props.get("retentionInDays"):
        yield "The log is kept for ever: set retention_in_days."


def tagged(kind: str, props: Props) -> Iterator[str]:
    """Whatever carries tags says whose it is."""
    del kind
    if "tags" in props and (missing := [key for key in KEYS if not (props["tags"] or {}).get(key)]):
        yield f"It has no tag {', '.join(missing)}."


def over_tls(kind: str, props: Props) -> Iterator[str]:
    """Nobody is answered in the clear."""
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


def closed_to_the_world(kind: str, props: Props) -> Iterator[str]:
    """No port is open to the internet, and no balancer stands in it."""
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
        yield "The load balancer has public addresses: it could be reached around CloudFront."


def signed_calls_alone(kind: str, props: Props) -> Iterator[str]:
    """Every route of an API asks who calls."""
    if kind == "aws:apigatewayv2/route:Route" and props.get("authorizationType") != "AWS_IAM":
        yield f"{props.get('routeKey')} answers anybody: set authorization_type to AWS_IAM."


def inside_the_boundary(kind: str, props: Props) -> Iterator[str]:
    """Every role of a workload has the permissions boundary."""
    if kind != "aws:iam/role:Role" or ROLES_OF_PEOPLE_AND_CI in props["assumeRolePolicy"]:
        return
    if not props.get("permissionsBoundary"):
        yield "The role has no permissions boundary: make it with infra.iam.role."


def timeouts_nest(resources: Iterable[tuple[str, Props]]) -> Iterator[str]:
    """Who waits, waits longer than who works: the function's timeout is inside the API's."""
    resources = list(resources)
    functions = [p["timeout"] for kind, p in resources if kind == "aws:lambda/function:Function"]
    for kind, props in resources:
        if kind != "aws:apigatewayv2/integration:Integration":
            continue
        waits_ms = props.get("timeoutMilliseconds") or LONGEST_API_TIMEOUT_MS
        if waits_ms > LONGEST_API_TIMEOUT_MS:
            yield f"The API waits {waits_ms} ms: API Gateway allows {LONGEST_API_TIMEOUT_MS}."
        for timeout_s in functions:
            if 1000 * timeout_s >= waits_ms:
                yield f"The function takes up to {timeout_s} s and the API waits {waits_ms} ms: give it less."


def buckets_blocked(resources: Iterable[tuple[str, Props]]) -> Iterator[str]:
    """Every bucket has what keeps it private, encrypted and over TLS; each is a resource of its own."""
    resources = list(resources)
    beside = ("BucketPublicAccessBlock", "BucketServerSideEncryptionConfiguration", "BucketPolicy", "BucketVersioning")
    count = sum(kind == "aws:s3/bucket:Bucket" for kind, _ in resources)
    for name in beside:
        if sum(kind.endswith(f":{name}") for kind, _ in resources) < count:
            yield f"There are {count} buckets, and fewer of {name}."


@dataclass(frozen=True)
class Rule:
    """A rule that looks at one resource at a time."""

    name: str
    check: Callable[[str, Props], Iterator[str]]


@dataclass(frozen=True)
class StackRule:
    """A rule that looks at all resources together."""

    name: str
    check: Callable[[Iterable[tuple[str, Props]]], Iterator[str]]


RULES: Final = (
    Rule("no-public-bucket", no_public_bucket),
    Rule("no-wildcard-on-wildcard", no_wildcard_on_wildcard),
    Rule("encrypted", encrypted),
    Rule("kept-for-a-time", kept_for_a_time),
    Rule("tagged", tagged),
    Rule("over-tls", over_tls),
    Rule("closed-to-the-world", closed_to_the_world),
    Rule("signed-calls-alone", signed_calls_alone),
    Rule("inside-the-boundary", inside_the_boundary),
)
STACK_RULES: Final = (StackRule("timeouts-nest", timeouts_nest), StackRule("buckets-blocked", buckets_blocked))


def _policy(rule: Rule) -> Policy:
    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        for sentence in rule.check(args.resource_type, args.props):
            report(sentence, None)

    return ResourceValidationPolicy(rule.name, _about(rule), validate, EnforcementLevel.MANDATORY)


def _stack_policy(rule: StackRule) -> Policy:
    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        for sentence in rule.check([(resource.resource_type, resource.props) for resource in args.resources]):
            report(sentence, None)

    return StackValidationPolicy(rule.name, _about(rule), validate, EnforcementLevel.MANDATORY)


def _about(rule: Rule | StackRule) -> str:
    return str(rule.check.__doc__)


def _statements(policy: Any) -> list[dict[str, Any]]:
    document = json.loads(policy) if isinstance(policy, str) else policy
    return list(document["Statement"])


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


POLICIES: Final = [*map(_policy, RULES), *map(_stack_policy, STACK_RULES)]
