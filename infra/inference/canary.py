"""Canary deployments: CodeDeploy sends a tenth of the calls to a new version for five minutes, and watches alarms.

`lesion models promote` starts a deployment; this creates what a deployment needs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra import iam

CANARY = "CodeDeployDefault.LambdaCanary10Percent5Minutes"


@dataclass(frozen=True, kw_only=True)
class CanaryArgs:
    """What a deployment needs from the rest of the stack."""

    account: str
    boundary_arn: pulumi.Input[str]
    function_arn: pulumi.Input[str]
    alarms: Sequence[pulumi.Input[str]]  # names; each of them rolls a new version back


class Canary(pulumi.ComponentResource):
    """A CodeDeploy application with one group."""

    application: aws.codedeploy.Application
    group: aws.codedeploy.DeploymentGroup

    def __init__(self, name: str, args: CanaryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("analyzer:inference:Canary", name, None, opts)
        child_options = pulumi.ResourceOptions(parent=self)
        role_arn = iam.role(
            f"{name}-shift",
            description="Moves the function's alias",
            trusted=iam.trust("codedeploy.amazonaws.com", args.account),
            statements=codedeploy_role_statements(args.function_arn),
            boundary_arn=args.boundary_arn,
            opts=child_options,
        )
        self.application = aws.codedeploy.Application(name, compute_platform="Lambda", opts=child_options)
        self.group = aws.codedeploy.DeploymentGroup(
            name,
            app_name=self.application.name,
            deployment_group_name=name,
            service_role_arn=role_arn,
            deployment_config_name=CANARY,
            deployment_style={"deployment_type": "BLUE_GREEN", "deployment_option": "WITH_TRAFFIC_CONTROL"},
            alarm_configuration={"enabled": True, "alarms": list(args.alarms)},
            auto_rollback_configuration={
                "enabled": True,
                "events": ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST"],
            },
            opts=child_options,
        )
        self.register_outputs({"application": self.application.name, "group": self.group.deployment_group_name})


def codedeploy_role_statements(function_arn: pulumi.Input[str]) -> list[iam.Statement]:
    """Write CodeDeploy's permissions: move the alias of this function, and read alarms."""
    shift = ["lambda:GetAlias", "lambda:UpdateAlias", "lambda:GetProvisionedConcurrencyConfig"]
    return [
        iam.allow("UpdateAlias", shift, [function_arn, pulumi.Output.concat(function_arn, ":*")]),
        iam.allow("ReadAlarms", ["cloudwatch:DescribeAlarms"], ["*"]),
    ]
