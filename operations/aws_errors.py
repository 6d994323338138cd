"""AWS's errors as sentences: each has the failed action, the reason, and the next step."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from boto3.exceptions import S3UploadFailedError
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

_EXPIRED: Final = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
_UNKNOWN_KEY: Final = {"UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId"}
_DENIED: Final = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "Forbidden", "403"}
_OTHER_REGION: Final = {"PermanentRedirect", "301", "AuthorizationHeaderMalformed"}
_THROTTLED: Final = {"ThrottlingException", "Throttling", "TooManyRequestsException", "SlowDown"}
_QUOTA: Final = {"ResourceLimitExceeded", "ServiceQuotaExceededException", "LimitExceededException"}


@contextmanager
def aws_errors(action: str) -> Iterator[None]:
    """Turn every AWS error inside the block into one sentence with the next step.

    Args:
        action: of the block, as in "reading the stack dev".

    Raises:
        DeploymentError: AWS refused the call, or could not be reached.
    """
    failed = f"{action[0].upper()}{action[1:]} failed"
    try:
        yield
    except (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError, SSOError) as error:
        raise DeploymentError(
            f"{failed}: there are no AWS credentials. Sign in with `aws sso login` or `aws configure`."
        ) from error
    except NoRegionError as error:
        raise DeploymentError(f"{failed}: no region is set. Set one with --region or AWS_REGION.") from error
    except EndpointConnectionError as error:
        raise DeploymentError(
            f"{failed}: {error.kwargs['endpoint_url']} cannot be reached. Check the network and the region."
        ) from error
    except ClientError as error:
        raise DeploymentError(f"{failed}: {describe_error(error)}") from error
    except (BotoCoreError, S3UploadFailedError) as error:
        raise DeploymentError(f"{failed}: {str(error).rstrip('.')}.") from error


def describe_error(error: ClientError) -> str:
    """Turn AWS's response into a sentence with the next step."""
    code = str(error.response.get("Error", {}).get("Code", "an error"))
    message = str(error.response.get("Error", {}).get("Message", "")).rstrip(".")
    if code in _EXPIRED:
        return "the AWS credentials have expired. Sign in again, for example with `aws sso login`."
    if code in _UNKNOWN_KEY:
        return "AWS does not know these credentials. Check which profile is in use."
    if code in _DENIED:
        return f"AWS denies it ({message}). Ask for that permission, or use another profile."
    if code in _OTHER_REGION:
        return "the bucket is in another region. Name that region with --region."
    if code in _THROTTLED:
        return "there are too many requests to AWS at the moment. Try again in a minute."
    if code in _QUOTA:
        return f"a quota of the account is used up ({message}). Request an increase at Service Quotas, or stop a job."
    return f"{message or code} ({code})."
