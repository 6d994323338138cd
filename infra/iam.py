"""Roles and policy documents. Each component writes the statements of its own role, next to the role."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pulumi
import pulumi_aws as aws

VERSION: Final = "2012-10-17"
TRACE: Final = (  # X-Ray's actions take no resource
    "xray:PutTraceSegments",
    "xray:PutTelemetryRecords",
    "xray:GetSamplingRules",
    "xray:GetSamplingTargets",
)

Text = pulumi.Input[str]
Statement = Mapping[str, Any]


def allow(
    sid: str, actions: Sequence[str], resources: Sequence[Text], condition: Mapping[str, Any] | None = None
) -> Statement:
    """Write a statement of a role's policy."""
    statement = {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": list(resources)}
    return {**statement, "Condition": condition} if condition else statement


def deny(
    sid: str, actions: Sequence[str], resources: Sequence[Text], condition: Mapping[str, Any] | None = None
) -> Statement:
    """Write a deny statement, which overrides every allow statement."""
    return {**allow(sid, actions, resources, condition), "Effect": "Deny"}


def document(*statements: Statement) -> pulumi.Output[str]:
    """Join statements to a policy document, known once every output in them is known."""
    return pulumi.Output.json_dumps({"Version": VERSION, "Statement": list(statements)})


def trust(service: str, account: Text, **condition: Mapping[str, Any]) -> pulumi.Output[str]:
    """Let an AWS service assume a role, only on behalf of this account."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceAccount": account}, **condition},
    }
    return document(statement)


def unconditional_trust(service: str) -> pulumi.Output[str]:
    """Let an AWS service assume a role, without a condition: AWS documents no source account for Lambda."""
    return document({"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"})


def role(
    name: str,
    *,
    description: str,
    trusted: pulumi.Input[str],
    statements: Sequence[Statement],
    boundary_arn: Text,
    opts: pulumi.ResourceOptions,
) -> pulumi.Output[str]:
    """Create a role with one inline policy, inside the stack's permissions boundary.

    Returns:
        its ARN, known once the policy is attached: Lambda, Step Functions and others check the role at once.
    """
    created = aws.iam.Role(
        name,
        description=description,
        assume_role_policy=trusted,
        permissions_boundary=boundary_arn,
        opts=opts,
    )
    policy = aws.iam.RolePolicy(name, role=created.name, policy=document(*statements), opts=opts)
    return pulumi.Output.all(created.arn, policy.id).apply(lambda known: str(known[0]))
