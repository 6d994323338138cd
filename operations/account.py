"""The AWS account that a command works in: clients of its services, and the stack that is deployed there."""

import functools
import os
from dataclasses import dataclass
from typing import Any, Final

import boto3
from botocore.config import Config

from contract.errors import DeploymentError
from operations.aws_errors import aws_errors
from operations.deployment import Deployment, parameter_of, parse_deployment

CONFIG: Final = Config(connect_timeout=5, read_timeout=60, retries={"mode": "adaptive", "max_attempts": 5})


@dataclass(frozen=True)
class Account:
    """An AWS account in one region, with the credentials of AWS's own environment and files."""

    region: str | None = None  # None: the default region of that environment

    def client(self, service: str) -> Any:
        """Return a client of an AWS service. It retries temporary failures.

        AWS_ENDPOINT_URL names another endpoint than Amazon's. The same client is returned as long as the environment
        stays the same, so connections are reused.

        Raises:
            DeploymentError: no region is set, or the credentials cannot be read.
        """
        environment = tuple(sorted((name, value) for name, value in os.environ.items() if name.startswith("AWS_")))
        with aws_errors(f"creating an AWS client of {service}"):
            return _create_client(service, self.region, environment)

    def caller_arn(self) -> str:
        """Name the owner of the credentials, as an ARN.

        Raises:
            DeploymentError: AWS refuses.
        """
        with aws_errors("reading the owner of the AWS credentials"):
            return str(self.client("sts").get_caller_identity()["Arn"])


@dataclass(frozen=True, kw_only=True)
class Stack(Account):
    """A deployed stack: the account it is in, and the names of its resources."""

    name: str
    deployment: Deployment


def open_stack(name: str, region: str | None = None) -> Stack:
    """Read the description that a deployed stack keeps of itself.

    Args:
        name: of the stack.
        region: where it is deployed; None is the default region of AWS's environment.

    Raises:
        DeploymentError: there is no such stack, AWS refuses, or another version of the code deployed it.
    """
    with aws_errors(f"reading the stack {name}"):
        ssm = Account(region).client("ssm")
        try:
            text = ssm.get_parameter(Name=parameter_of(name))["Parameter"]["Value"]
        except ssm.exceptions.ParameterNotFound as error:
            raise DeploymentError(
                f"There is no stack {name} in {ssm.meta.region_name}: deploy it with `pulumi up`, start the local one "
                "with `lesion local up`, or name another with --stack and --region."
            ) from error
    deployment = parse_deployment(text, name)
    return Stack(name=name, region=deployment.region, deployment=deployment)


@functools.lru_cache(maxsize=64)
def _create_client(service: str, region: str | None, environment: tuple[tuple[str, str], ...]) -> Any:
    del environment  # part of the cache's key: boto3 reads the variables itself
    return boto3.Session(region_name=region).client(service, config=CONFIG)  # type: ignore[call-overload]
