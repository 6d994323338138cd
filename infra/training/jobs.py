"""What a training job needs before it starts: its role, its model package group, its log, and a failure message."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra import iam

LOG_GROUP = "/aws/sagemaker/TrainingJobs"  # SageMaker's own name; an account has one
AWS_IMAGES_ACCOUNT = "763104351884"  # AWS publishes its deep learning containers from it in most regions
NETWORK_ACTIONS = (  # https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html, jobs in a VPC
    "ec2:CreateNetworkInterface",
    "ec2:CreateNetworkInterfacePermission",
    "ec2:DeleteNetworkInterface",
    "ec2:DeleteNetworkInterfacePermission",
    "ec2:DescribeDhcpOptions",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcs",
)


@dataclass(frozen=True, kw_only=True)
class TrainingArgs:
    """What training needs from the rest of the stack."""

    account: str
    region: str
    boundary_arn: pulumi.Input[str]
    key_arn: pulumi.Input[str]
    data_bucket_arn: pulumi.Input[str]
    models_bucket_arn: pulumi.Input[str]
    topic_arn: pulumi.Input[str]
    vpc_id: pulumi.Input[str] | None  # None: jobs run outside this stack's network
    subnets: Sequence[pulumi.Input[str]]
    owns_log_group: bool
    log_retention_days: int


class Training(pulumi.ComponentResource):
    """What the jobs of `lesion retrain` need."""

    role_arn: pulumi.Output[str]
    group: aws.sagemaker.ModelPackageGroup
    failures: aws.cloudwatch.EventRule  # matches the failed jobs of this stack
    subnets: Sequence[pulumi.Input[str]]
    security_groups: list[pulumi.Output[str]]

    def __init__(self, name: str, args: TrainingArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("analyzer:training:Training", name, None, opts)
        child_options = pulumi.ResourceOptions(parent=self)
        self.group = aws.sagemaker.ModelPackageGroup(
            name,
            model_package_group_name=name,
            model_package_group_description="Versions of the classifier of skin lesions, each with its lineage",
            opts=child_options,
        )
        if args.owns_log_group:
            aws.cloudwatch.LogGroup(
                f"{name}-jobs",
                name=LOG_GROUP,
                retention_in_days=args.log_retention_days,
                kms_key_id=args.key_arn,
                opts=child_options,
            )
        self.role_arn = iam.role(
            f"{name}-training",
            description="Permissions of training jobs",
            trusted=iam.trust("sagemaker.amazonaws.com", args.account),
            statements=training_role_statements(args, name),
            boundary_arn=args.boundary_arn,
            opts=child_options,
        )
        self.failures = self._report_failures(name, args, child_options)
        self.subnets = args.subnets
        self.security_groups = [_security_group(name, args.vpc_id, child_options)] if args.vpc_id is not None else []
        self.register_outputs({"role_arn": self.role_arn, "group": self.group.model_package_group_name})

    def _report_failures(
        self, name: str, args: TrainingArgs, child_options: pulumi.ResourceOptions
    ) -> aws.cloudwatch.EventRule:
        """Send the name and the reason of a failed job to the topic; the role identifies jobs of this stack."""
        pattern = {
            "source": ["aws.sagemaker"],
            "detail-type": ["SageMaker Training Job State Change"],
            "detail": {"TrainingJobStatus": ["Failed"], "RoleArn": [self.role_arn]},
        }
        rule = aws.cloudwatch.EventRule(
            f"{name}-failed",
            description="A training job of this stack failed",
            event_pattern=pulumi.Output.json_dumps(pattern),
            opts=child_options,
        )
        aws.cloudwatch.EventTarget(
            f"{name}-failed",
            rule=rule.name,
            arn=args.topic_arn,
            input_transformer={
                "input_paths": {"job": "$.detail.TrainingJobName", "reason": "$.detail.FailureReason"},
                "input_template": json.dumps("The training job <job> failed: <reason>"),
            },
            opts=child_options,
        )
        return rule


def _security_group(name: str, vpc_id: pulumi.Input[str], child_options: pulumi.ResourceOptions) -> pulumi.Output[str]:
    """Let the instances of one job reach each other, and HTTPS."""
    name = f"{name}-training"
    group = aws.ec2.SecurityGroup(
        name, vpc_id=vpc_id, description="Training jobs", tags={"Name": name}, opts=child_options
    )
    for kind in (aws.vpc.SecurityGroupIngressRule, aws.vpc.SecurityGroupEgressRule):
        kind(
            f"{name}-each-other",
            security_group_id=group.id,
            description="Instances of one job",
            referenced_security_group_id=group.id,
            ip_protocol="-1",
            opts=child_options,
        )
    aws.vpc.SecurityGroupEgressRule(
        f"{name}-https",
        security_group_id=group.id,
        description="AWS's APIs and packages",
        cidr_ipv4="0.0.0.0/0",
        ip_protocol="tcp",
        from_port=443,
        to_port=443,
        opts=child_options,
    )
    return group.id


def training_role_statements(args: TrainingArgs, group: str) -> Sequence[iam.Statement]:
    """Write a job's permissions: read pictures, write and register models, write logs, pull its image."""
    concat = pulumi.Output.concat
    logs = f"arn:aws:logs:{args.region}:{args.account}:log-group:{LOG_GROUP}"
    at = f"arn:aws:sagemaker:{args.region}:{args.account}"
    jobs = concat(args.data_bucket_arn, "/jobs/*")  # the source, checkpoints and output of every job
    statements = [
        iam.allow(
            "ListBuckets", ["s3:ListBucket", "s3:GetBucketLocation"], [args.data_bucket_arn, args.models_bucket_arn]
        ),
        iam.allow("ReadData", ["s3:GetObject"], [concat(args.data_bucket_arn, "/*")]),
        iam.deny(
            "DenyBatchData",
            ["s3:GetObject"],
            [concat(args.data_bucket_arn, f"/{kind}/*") for kind in ("pictures", "answers")],
        ),
        iam.allow("WriteJobOutput", ["s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"], [jobs]),
        iam.allow(
            "PublishModels",
            ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"],
            [concat(args.models_bucket_arn, "/models/*")],
        ),
        iam.allow("UseKey", ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:DescribeKey"], [args.key_arn]),
        iam.allow(
            "EncryptVolumes", ["kms:CreateGrant"], [args.key_arn], {"Bool": {"kms:GrantIsForAWSResource": "true"}}
        ),
        iam.allow(
            "WriteLogs",
            ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
            [logs, f"{logs}:*"],
        ),
        iam.allow(
            "PutMetrics",
            ["cloudwatch:PutMetricData"],
            ["*"],
            {"StringEquals": {"cloudwatch:namespace": "/aws/sagemaker/TrainingJobs"}},
        ),
        iam.allow("RegistryLogin", ["ecr:GetAuthorizationToken"], ["*"]),
        iam.allow(
            "PullAwsImages",
            ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
            [f"arn:aws:ecr:{args.region}:{AWS_IMAGES_ACCOUNT}:repository/*"],
        ),
        iam.allow(
            "RegisterModels",
            ["sagemaker:CreateModelPackage", "sagemaker:DescribeModelPackage", "sagemaker:AddTags"],
            [f"{at}:model-package-group/{group}", f"{at}:model-package/{group}/*"],
        ),
        iam.allow("ListModelPackages", ["sagemaker:ListModelPackages"], ["*"]),
    ]
    if args.vpc_id is not None:
        statements.append(iam.allow("UseVpc", NETWORK_ACTIONS, ["*"]))
    return statements
