"""The permissions of `pulumi up` in CI: create, change and delete the resources of one stack.

Where AWS lets a policy name the resource, the policy names this stack's resources. Where AWS does not (networks,
distributions, log deliveries), the policy lists single actions. CI cannot change its own role, the other roles of CI or
the permissions boundary: a person changes permissions.
"""

from collections.abc import Sequence
from typing import Final

import pulumi

from infra import iam

ROLE_ACTIONS: Final = ("iam:CreateRole", "iam:PutRolePolicy", "iam:AttachRolePolicy", "iam:PutRolePermissionsBoundary")
MANAGED_ROLE_ACTIONS: Final = (
    "iam:DeleteRole",
    "iam:DeleteRolePolicy",
    "iam:DetachRolePolicy",
    "iam:TagRole",
    "iam:UntagRole",
    "iam:UpdateAssumeRolePolicy",
    "iam:UpdateRole",
    "iam:UpdateRoleDescription",
)
PASSED_TO: Final = (
    "codedeploy.amazonaws.com",
    "ecs-tasks.amazonaws.com",
    "events.amazonaws.com",
    "lambda.amazonaws.com",
    "scheduler.amazonaws.com",
    "states.amazonaws.com",
    "vpc-flow-logs.amazonaws.com",
)
SERVICE_LINKED: Final = (  # AWS creates their roles the first time that an account uses the service
    "ecs.amazonaws.com",
    "ecs.application-autoscaling.amazonaws.com",
    "elasticloadbalancing.amazonaws.com",
    "vpcorigin.cloudfront.amazonaws.com",
    "wafv2.amazonaws.com",
)
NETWORK: Final = (
    "ec2:AllocateAddress",
    "ec2:AssociateRouteTable",
    "ec2:AttachInternetGateway",
    "ec2:AuthorizeSecurityGroup*",
    "ec2:CreateFlowLogs",
    "ec2:CreateInternetGateway",
    "ec2:CreateNatGateway",
    "ec2:CreateRoute",
    "ec2:CreateRouteTable",
    "ec2:CreateSecurityGroup",
    "ec2:CreateSubnet",
    "ec2:CreateTags",
    "ec2:CreateVpc",
    "ec2:CreateVpcEndpoint",
    "ec2:DeleteFlowLogs",
    "ec2:DeleteInternetGateway",
    "ec2:DeleteNatGateway",
    "ec2:DeleteRoute",
    "ec2:DeleteRouteTable",
    "ec2:DeleteSecurityGroup",
    "ec2:DeleteSubnet",
    "ec2:DeleteTags",
    "ec2:DeleteVpc",
    "ec2:DeleteVpcEndpoints",
    "ec2:DetachInternetGateway",
    "ec2:DisassociateAddress",
    "ec2:DisassociateRouteTable",
    "ec2:ModifySecurityGroupRules",
    "ec2:ModifySubnetAttribute",
    "ec2:ModifyVpcAttribute",
    "ec2:ModifyVpcEndpoint",
    "ec2:ReleaseAddress",
    "ec2:ReplaceRoute",
    "ec2:ReplaceRouteTableAssociation",
    "ec2:RevokeSecurityGroup*",
    "ec2:UpdateSecurityGroupRuleDescriptions*",
)
EDGE: Final = (
    "cloudfront:CreateDistribution*",
    "cloudfront:CreateVpcOrigin",
    "cloudfront:DeleteDistribution",
    "cloudfront:DeleteVpcOrigin",
    "cloudfront:TagResource",
    "cloudfront:UntagResource",
    "cloudfront:UpdateDistribution",
    "cloudfront:UpdateVpcOrigin",
    "cloudfront:AllowVendedLogDeliveryForResource",
    "wafv2:AssociateWebACL",
    "wafv2:CreateWebACL",
    "wafv2:DeleteLoggingConfiguration",
    "wafv2:DeleteWebACL",
    "wafv2:DisassociateWebACL",
    "wafv2:PutLoggingConfiguration",
    "wafv2:TagResource",
    "wafv2:UntagResource",
    "wafv2:UpdateWebACL",
)
UNNAMED: Final = (  # actions that take no resource in a policy, or one with a random name
    "application-autoscaling:DeleteScalingPolicy",
    "application-autoscaling:DeregisterScalableTarget",
    "application-autoscaling:PutScalingPolicy",
    "application-autoscaling:RegisterScalableTarget",
    "application-autoscaling:TagResource",
    "ecs:DeregisterTaskDefinition",
    "ecs:RegisterTaskDefinition",
    "kms:CreateKey",
    "logs:CreateDelivery",
    "logs:CreateLogDelivery",
    "logs:DeleteDelivery*",
    "logs:DeleteLogDelivery",
    "logs:ListLogDeliveries",
    "logs:GetLogDelivery",
    "logs:PutDelivery*",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
)


def named_statements(stack: str, account: str, region: str) -> Sequence[iam.Statement]:
    """Write the statements about resources that carry the stack's name."""
    name = f"lesion-{stack}"

    def at(service: str, resource: str) -> str:
        return f"arn:aws:{service}:{region}:{account}:{resource}"

    balancing = "elasticloadbalancing"
    named: dict[str, tuple[Sequence[str], Sequence[str]]] = {
        "Buckets": (
            [
                "s3:CreateBucket",
                "s3:DeleteBucket",
                "s3:DeleteBucketPolicy",
                "s3:PutBucket*",
                "s3:PutEncryptionConfiguration",
                "s3:PutLifecycleConfiguration",
            ],
            [f"arn:aws:s3:::{name}-*"],
        ),
        "Registries": (["ecr:*"], [at("ecr", f"repository/{name}-*")]),
        "Function": (["lambda:*"], [at("lambda", f"function:{name}-*")]),
        "Api": (
            [
                "apigateway:DELETE",
                "apigateway:PATCH",
                "apigateway:POST",
                "apigateway:PUT",
                "apigateway:TagResource",
                "apigateway:UntagResource",
            ],
            [f"arn:aws:apigateway:{region}::/apis*", f"arn:aws:apigateway:{region}::/tags/*"],
        ),
        "Canary": (
            ["codedeploy:*"],
            [at("codedeploy", f"application:{name}-*"), at("codedeploy", f"deploymentgroup:{name}-*")],
        ),
        "StateMachines": (["states:*"], [at("states", f"stateMachine:{name}-*")]),
        "Page": (["ecs:*"], [at("ecs", f"{kind}/{name}-*") for kind in ("cluster", "service", "task-definition")]),
        "Balancer": (
            [f"{balancing}:*"],
            [at(balancing, f"{kind}/{name}-*") for kind in ("loadbalancer/app", "targetgroup", "listener/app")],
        ),
        "Monitoring": (
            ["cloudwatch:*"],
            [at("cloudwatch", f"alarm:{name}-*"), f"arn:aws:cloudwatch::{account}:dashboard/{name}*"],
        ),
        "Logs": (
            [
                "logs:CreateLogGroup",
                "logs:DeleteLogGroup",
                "logs:DeleteMetricFilter",
                "logs:PutMetricFilter",
                "logs:PutRetentionPolicy",
                "logs:AssociateKmsKey",
                "logs:TagResource",
                "logs:UntagResource",
            ],
            [
                f"arn:aws:logs:*:{account}:log-group:{start}*"
                for start in (
                    name,
                    f"/aws/vendedlogs/{name}",
                    f"/aws/vendedlogs/states/{name}",
                    f"aws-waf-logs-{name}",
                    "/aws/sagemaker/TrainingJobs",
                )
            ],
        ),
        "Events": (["events:*"], [at("events", f"rule/{name}-*")]),
        "Schedules": (["scheduler:*"], [at("scheduler", f"schedule/default/{name}-*")]),
        "Topic": (["sns:*"], [at("sns", f"{name}-*")]),
        "Queue": (["sqs:*"], [at("sqs", f"{name}-*")]),
        "Secret": (["secretsmanager:*"], [at("secretsmanager", f"secret:{name}-*")]),
        "Parameter": (
            ["ssm:AddTagsToResource", "ssm:DeleteParameter", "ssm:PutParameter"],
            [at("ssm", f"parameter/skin-lesion-analyzer/{stack}/*")],
        ),
        "Models": (
            ["sagemaker:AddTags", "sagemaker:CreateModelPackageGroup", "sagemaker:DeleteModelPackageGroup"],
            [at("sagemaker", f"model-package-group/{name}")],
        ),
        "Budget": (["budgets:ModifyBudget", "budgets:TagResource"], [f"arn:aws:budgets::{account}:budget/{name}-*"]),
        "Alias": (["kms:CreateAlias", "kms:DeleteAlias"], [at("kms", f"alias/{name}*"), at("kms", "key/*")]),
    }
    return [iam.allow(sid, actions, resources) for sid, (actions, resources) in named.items()]


def unnamed_statements(stack: str, account: str, region: str) -> Sequence[iam.Statement]:
    """Write the statements about resources that a policy cannot name."""
    ours = {"StringEquals": {"aws:ResourceTag/Stack": stack}}
    key_actions = [
        "kms:CreateGrant",
        "kms:EnableKeyRotation",
        "kms:PutKeyPolicy",
        "kms:TagResource",
        "kms:UpdateKeyDescription",
        "kms:Decrypt",
        "kms:Encrypt",
        "kms:GenerateDataKey",
    ]
    return [
        iam.allow("Key", key_actions, [f"arn:aws:kms:{region}:{account}:key/*"], ours),
        iam.allow("Network", NETWORK, ["*"], {"StringEquals": {"aws:RequestedRegion": region}}),
        iam.allow("Edge", EDGE, ["*"]),
        iam.allow("ActionsWithoutName", UNNAMED, ["*"]),
    ]


def iam_statements(stack: str, account: str, boundary_arn: pulumi.Input[str]) -> Sequence[iam.Statement]:
    """Write the statements about roles: only this stack's, only inside the boundary, and never those of CI."""
    roles = f"arn:aws:iam::{account}:role/lesion-{stack}"
    ci = [f"{roles}-ci-*", f"arn:aws:iam::{account}:policy/lesion-{stack}-ci-*", boundary_arn]
    bounded = {"StringEquals": {"iam:PermissionsBoundary": boundary_arn}}
    passed = {"StringEquals": {"iam:PassedToService": list(PASSED_TO)}}
    linked = {"StringEquals": {"iam:AWSServiceName": list(SERVICE_LINKED)}}
    changes = [
        "iam:Add*",
        "iam:Attach*",
        "iam:Create*",
        "iam:Delete*",
        "iam:Detach*",
        "iam:Put*",
        "iam:Set*",
        "iam:Update*",
    ]
    return [
        iam.allow("CreateRolesInsideBoundary", ROLE_ACTIONS, [f"{roles}-*"], bounded),
        iam.allow("ManageRoles", MANAGED_ROLE_ACTIONS, [f"{roles}-*"]),
        iam.allow("PassRoles", ["iam:PassRole"], [f"{roles}-*"], passed),
        iam.allow(
            "CreateServiceLinkedRoles",
            ["iam:CreateServiceLinkedRole"],
            [f"arn:aws:iam::{account}:role/aws-service-role/*"],
            linked,
        ),
        iam.deny("DenyChangesToCiRoles", changes, ci),
        iam.deny("DenyBoundaryRemoval", ["iam:DeleteRolePermissionsBoundary"], ["*"]),
    ]


def state_statements(state_bucket: str | None, key_arn: pulumi.Input[str]) -> Sequence[iam.Statement]:
    """Write the statements for pushing images and writing Pulumi's state."""
    granted = [
        iam.allow("RegistryLogin", ["ecr:GetAuthorizationToken"], ["*"]),
        iam.allow("EncryptImages", ["kms:DescribeKey"], [key_arn]),
    ]
    if state_bucket:
        writes = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]
        granted.append(iam.allow("WriteState", writes, [f"arn:aws:s3:::{state_bucket}/*"]))
    return granted
