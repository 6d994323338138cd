"""The permissions of `pulumi preview` in CI: read how resources are configured, and no data in them."""

from collections.abc import Sequence
from typing import Final

from infra import iam

# Configuration only: no object of a bucket, no value of a secret, no line of a log.
READS: Final = (
    "apigateway:GET",
    "application-autoscaling:Describe*",
    "application-autoscaling:ListTagsForResource",
    "budgets:ListTagsForResource",
    "budgets:ViewBudget",
    "cloudfront:Describe*",
    "cloudfront:Get*",
    "cloudfront:List*",
    "cloudwatch:Describe*",
    "cloudwatch:GetDashboard",
    "cloudwatch:ListTagsForResource",
    "codedeploy:Get*",
    "codedeploy:ListTagsForResource",
    "ec2:Describe*",
    "ecr:Describe*",
    "ecr:GetLifecyclePolicy",
    "ecr:GetRepositoryPolicy",
    "ecr:ListTagsForResource",
    "ecs:Describe*",
    "ecs:ListTagsForResource",
    "elasticloadbalancing:Describe*",
    "events:Describe*",
    "events:List*",
    "iam:Get*",
    "iam:List*",
    "kms:Describe*",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:List*",
    "lambda:GetAlias",
    "lambda:GetFunction",
    "lambda:GetFunctionCodeSigningConfig",
    "lambda:GetFunctionConcurrency",
    "lambda:GetFunctionConfiguration",
    "lambda:GetFunctionEventInvokeConfig",
    "lambda:GetPolicy",
    "lambda:GetProvisionedConcurrencyConfig",
    "lambda:List*",
    "logs:Describe*",
    "logs:GetDelivery*",
    "logs:ListTagsForResource",
    "s3:GetAccelerateConfiguration",
    "s3:GetBucket*",
    "s3:GetEncryptionConfiguration",
    "s3:GetLifecycleConfiguration",
    "s3:GetReplicationConfiguration",
    "s3:ListBucket",
    "sagemaker:DescribeModelPackageGroup",
    "sagemaker:ListTags",
    "scheduler:GetSchedule",
    "secretsmanager:DescribeSecret",
    "secretsmanager:GetRandomPassword",
    "secretsmanager:GetResourcePolicy",
    "sns:Get*",
    "sns:List*",
    "sqs:GetQueueAttributes",
    "sqs:ListQueueTags",
    "ssm:DescribeParameters",
    "ssm:ListTagsForResource",
    "states:Describe*",
    "states:ListTagsForResource",
    "sts:GetCallerIdentity",
    "wafv2:Get*",
    "wafv2:List*",
)


def preview_statements(stack: str, account: str, region: str, state_bucket: str | None) -> Sequence[iam.Statement]:
    """Write the statements of the preview role, which only reads."""
    parameters = f"arn:aws:ssm:{region}:{account}:parameter/skin-lesion-analyzer/{stack}/*"
    granted = [
        iam.allow("ReadConfiguration", READS, ["*"]),
        iam.allow("ReadDeploymentParameter", ["ssm:GetParameter", "ssm:GetParameters"], [parameters]),
    ]
    if state_bucket:
        bucket = [f"arn:aws:s3:::{state_bucket}", f"arn:aws:s3:::{state_bucket}/*"]
        own = {"StringEquals": {"aws:ResourceAccount": account}}
        granted.append(iam.allow("ReadState", ["s3:GetObject", "s3:ListBucket"], bucket, own))
    return granted
