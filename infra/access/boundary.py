"""The permissions boundary: an upper limit for every role of the stack, also if the role's own policy allows more.

CI creates roles only inside this boundary and cannot change it. So a change of the program cannot create a role that
reaches the account's users, its bills or another stack's code.
"""

from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

from infra import iam

WORKLOADS: Final = (  # the actions of all parts that run in the stack
    "cloudwatch:DescribeAlarms",
    "cloudwatch:PutMetricData",
    "codedeploy:*",
    "ec2:CreateNetworkInterface",
    "ec2:CreateNetworkInterfacePermission",
    "ec2:DeleteNetworkInterface",
    "ec2:DeleteNetworkInterfacePermission",
    "ec2:Describe*",
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:GetAuthorizationToken",
    "ecr:GetDownloadUrlForLayer",
    "events:*",
    "execute-api:Invoke",
    "kms:CreateGrant",
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:Encrypt",
    "kms:GenerateDataKey*",
    "lambda:GetAlias",
    "lambda:GetProvisionedConcurrencyConfig",
    "lambda:InvokeFunction",
    "lambda:UpdateAlias",
    "logs:*",
    "s3:*",
    "sagemaker:*",
    "secretsmanager:GetSecretValue",
    "sns:Publish",
    "sqs:SendMessage",
    "states:*",
    "xray:*",
)


@dataclass(frozen=True, kw_only=True)
class BoundaryArgs:
    """The account and the region of the stack."""

    account: str
    region: str


class Boundary(pulumi.ComponentResource):
    """A permissions boundary; `arn` is all that others need."""

    arn: pulumi.Output[str]

    def __init__(self, name: str, args: BoundaryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("analyzer:access:Boundary", name, None, opts)
        here = {"StringEquals": {"aws:RequestedRegion": [args.region, "us-east-1"]}}
        to_sagemaker = {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}
        policy = aws.iam.Policy(
            name,
            description="The most that a role of this stack can do",
            policy=iam.document(
                iam.allow("Workloads", WORKLOADS, ["*"], here),
                iam.allow("PassTrainingRole", ["iam:PassRole"], [f"arn:aws:iam::{args.account}:role/*"], to_sagemaker),
                iam.deny(
                    "DenyBucketSettings",
                    ["s3:DeleteBucket*", "s3:PutBucket*", "s3:PutAccountPublicAccessBlock"],
                    ["*"],
                ),
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.arn = policy.arn
        self.register_outputs({"arn": self.arn})
