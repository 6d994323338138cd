"""AWS as the life of a model uses it: a stack's own description, and AWS's refusals in sentences."""

import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import boto3
from boto3.exceptions import S3UploadFailedError
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    SSOError,
)

from contract.errors import DeploymentError
from operations.deployment import Deployment, parameter_of, parse_deployment

CONFIG: Final = Config(connect_timeout=5, read_timeout=60, retries={"mode": "adaptive", "max_attempts": 5})

_EXPIRED: Final = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
_UNKNOWN_KEY: Final = {"UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId"}
_DENIED: Final = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "Forbidden", "403"}
_THROTTLED: Final = {"ThrottlingException", "Throttling", "TooManyRequestsException", "SlowDown"}


def client(service: str, region: str | None = None) -> Any:
    """Open a client of an AWS service, which tries again what fails in passing.

    Credentials, and AWS_ENDPOINT_URL for another AWS than the real one, come from AWS's own environment and files. The
    same client is given again while that environment is the same, so that connections are kept.
    """
    environment = tuple(sorted((name, value) for name, value in os.environ.items() if name.startswith("AWS_")))
    with told("opening AWS's clients"):
        return _opened(service, region, environment)


@functools.lru_cache(maxsize=64)
def _opened(service: str, region: str | None, environment: tuple[tuple[str, str], ...]) -> Any:
    del environment  # boto3 reads it
    return boto3.Session(region_name=region).client(service, config=CONFIG)  # type: ignore[call-overload]


def read_deployment(stack: str, region: str | None = None) -> Deployment:
    """Read what a deployed stack tells of itself.

    Raises:
        DeploymentError: there is no such stack, AWS refuses, or the stack is of another version.
    """
    name = parameter_of(stack)
    with told(f"reading the stack {stack}"):
        ssm = client("ssm", region)
        try:
            text = ssm.get_parameter(Name=name)["Parameter"]["Value"]
        except ssm.exceptions.ParameterNotFound as error:
            raise DeploymentError(
                f"There is no stack {stack} in {ssm.meta.region_name}: deploy it with `pulumi up`, start the one on "
                "this machine with `lesion local up` and name it `local`, or name another with --stack and --region."
            ) from error
    return parse_deployment(text, stack)


def caller(region: str | None = None) -> str:
    """Name who asks, as AWS knows them: an ARN.

    Raises:
        DeploymentError: AWS refuses.
    """
    with told("asking AWS who you are"):
        return str(client("sts", region).get_caller_identity()["Arn"])


@contextmanager
def told(doing: str) -> Iterator[None]:
    """Turn AWS's refusals inside the block into one sentence, with what to do next.

    Args:
        doing: what is being done, as in "reading the stack dev".

    Raises:
        DeploymentError: AWS, or the way to it, refused.
    """
    try:
        yield
    except (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError, SSOError) as error:
        raise DeploymentError(
            f"{_failed(doing)}: there are no AWS credentials. Sign in with `aws sso login` or `aws configure`."
        ) from error
    except NoRegionError as error:
        raise DeploymentError(f"{_failed(doing)}: no region is set. Name one with --region or AWS_REGION.") from error
    except EndpointConnectionError as error:
        raise DeploymentError(
            f"{_failed(doing)}: {error.kwargs['endpoint_url']} cannot be reached. Check the network and the region."
        ) from error
    except ClientError as error:
        raise DeploymentError(f"{_failed(doing)}: {refusal(error)}") from error
    except (BotoCoreError, S3UploadFailedError) as error:
        raise DeploymentError(f"{_failed(doing)}: {str(error).rstrip('.')}.") from error


def refusal(error: ClientError) -> str:
    """Say in a sentence what AWS answered, and what to do next."""
    code = str(error.response.get("Error", {}).get("Code", "an error"))
    message = str(error.response.get("Error", {}).get("Message", "")).rstrip(".")
    if code in _EXPIRED:
        return "the AWS credentials have expired. Sign in again, with `aws sso login` for one."
    if code in _UNKNOWN_KEY:
        return "AWS does not know these credentials. Check which profile is in use."
    if code in _DENIED:
        return f"AWS denies it ({message}). Ask for that permission, or use another profile."
    if code in ("PermanentRedirect", "301", "AuthorizationHeaderMalformed"):
        return "the bucket is in another region. Name that region with --region."
    if code in _THROTTLED:
        return "AWS is asked too much at the moment. Try again in a minute."
    if code in ("ResourceLimitExceeded", "ServiceQuotaExceededException", "LimitExceededException"):
        return f"a quota of the account is used up ({message}). Ask for more at Service Quotas, or stop what runs."
    return f"{message or code} ({code})."


def _failed(doing: str) -> str:
    return f"{doing[0].upper()}{doing[1:]} failed"
