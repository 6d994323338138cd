"""What the stack publishes: a parameter that `lesion ... --stack NAME` reads, and the next step of a deployment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.config import PROJECT, StackConfig


@dataclass(frozen=True, kw_only=True)
class DeploymentArgs:
    """The fields of `operations.deployment.Deployment`; a test compares the two."""

    region: str
    models_bucket: pulumi.Input[str]
    data_bucket: pulumi.Input[str]
    api_url: pulumi.Input[str]
    page_url: pulumi.Input[str] | None
    function_name: pulumi.Input[str]
    alias: str
    model_package_group: pulumi.Input[str]
    training_role_arn: pulumi.Input[str]
    training_kms_key_arn: pulumi.Input[str] | None
    training_subnets: Sequence[pulumi.Input[str]]
    training_security_groups: Sequence[pulumi.Input[str]]
    codedeploy_application: pulumi.Input[str]
    codedeploy_group: pulumi.Input[str]
    batches_state_machine_arn: pulumi.Input[str] | None
    tags: Mapping[str, str]


class Deployment(pulumi.ComponentResource):
    """The parameter; it exists as soon as the function does."""

    def __init__(self, name: str, stack: str, args: DeploymentArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("analyzer:foundation:Deployment", name, None, opts)
        parameter = aws.ssm.Parameter(
            name,
            name=f"/{PROJECT}/{stack}/deployment",
            type="String",  # names and addresses, no secret
            description="The names and addresses of this stack, for `lesion`",
            value=pulumi.Output.json_dumps(vars(args)),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({"parameter": parameter.name})


def next_steps(config: StackConfig, stack: str) -> str:
    """Describe the engineer's next step; docs/deploy.md has the details."""
    if config.classify_image is None:
        return (
            "There is no function yet. Build and push both images (docs/deploy.md), then: "
            "`pulumi config set classifyImage ...`, `pulumi config set pageImage ...`, `pulumi up`."
        )
    first_model = (
        f"Without a model the API answers 503: `lesion retrain --stack {stack}`, then "
        f"`lesion models promote VERSION --stack {stack}`."
    )
    if config.page_image is None:
        return f"There is no page yet: `pulumi config set pageImage ...`, `pulumi up`. {first_model}"
    return first_model
