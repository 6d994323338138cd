"""The description of a deployed stack: the names of its buckets, roles and function.

The Pulumi program writes it as one parameter of AWS Systems Manager's Parameter Store, and the local stack writes the
same to its own AWS APIs. So every command needs only `--stack NAME`.
"""

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from contract.errors import DeploymentError

ALIAS: Final = "live"  # of the function: the API calls it, and a promotion shifts it


class Deployment(BaseModel):
    """The value of the parameter, as JSON: names and ARNs as AWS has them; null for a resource that a stack lacks."""

    model_config = ConfigDict(extra="ignore", frozen=True)  # a newer stack may have more keys

    region: str
    models_bucket: str
    data_bucket: str
    api_url: str  # https://..., without a path
    page_url: str | None = None
    function_name: str
    alias: str = ALIAS
    model_package_group: str
    training_role_arn: str
    training_kms_key_arn: str | None = None  # of volumes and output; null: AWS's own key
    training_subnets: tuple[str, ...] = ()  # none: training jobs run outside of any VPC
    training_security_groups: tuple[str, ...] = ()
    codedeploy_application: str
    codedeploy_group: str
    batches_state_machine_arn: str | None = None
    tags: Annotated[dict[str, str], Field(default_factory=dict)]  # for the resources that commands create


def parameter_of(stack: str) -> str:
    """Name the parameter of a stack."""
    return f"/skin-lesion-analyzer/{stack}/deployment"


def parse_deployment(text: str, stack: str) -> Deployment:
    """Parse the value of the parameter.

    Raises:
        DeploymentError: another version of this code wrote it.
    """
    try:
        return Deployment.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "its start"
        raise DeploymentError(
            f"The description of the stack {stack} does not fit this version (at {where}: {first['msg']}). "
            "Run `pulumi up` with this code, and try again."
        ) from error
