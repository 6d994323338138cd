"""What a deployed stack tells the command line: where its buckets, roles and function are.

The Pulumi program writes it as one parameter of AWS Systems Manager's Parameter Store, and the local stack writes the
same at its own AWS APIs, so that every command takes `--stack NAME` and knows the rest.
"""

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from contract.errors import DeploymentError

ALIAS: Final = "live"  # of the function: what the API calls, and what a promotion shifts


class Deployment(BaseModel):
    """The parameter's value, as JSON. Names and ARNs as AWS has them; what a stack lacks is null."""

    model_config = ConfigDict(extra="ignore", frozen=True)  # a newer stack may tell more

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
    training_subnets: tuple[str, ...] = ()  # none: outside of any VPC of ours
    training_security_groups: tuple[str, ...] = ()
    codedeploy_application: str
    codedeploy_group: str
    batches_state_machine_arn: str | None = None
    tags: Annotated[dict[str, str], Field(default_factory=dict)]  # that what is started here carries


def parameter_of(stack: str) -> str:
    """Name the parameter of a stack."""
    return f"/skin-lesion-analyzer/{stack}/deployment"


def parse_deployment(text: str, stack: str) -> Deployment:
    """Read the parameter's value.

    Raises:
        DeploymentError: it is of another version than this code.
    """
    try:
        return Deployment.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "its start"
        raise DeploymentError(
            f"The stack {stack} does not tell all that this version needs (at {where}: {first['msg']}). "
            "Run `pulumi up` with this code, and try again."
        ) from error
