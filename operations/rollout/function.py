"""The Lambda function on AWS: the version that its alias serves, its published versions, and a new one for a model."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from botocore.exceptions import ClientError, WaiterError

from contract.errors import DeploymentError
from operations.account import Stack
from operations.aws_errors import aws_errors

MODEL_URI: Final = "MODEL_URI"  # the function's environment variable
_CONFLICTS: Final = {"PreconditionFailedException", "ResourceConflictException"}


@dataclass(frozen=True)
class Alias:
    """The alias that the API calls."""

    version: str  # of the function, with most of the traffic
    canary: dict[str, float] = field(default_factory=dict)  # another version -> its share of the traffic
    revision: str | None = None


@dataclass(frozen=True)
class FunctionVersion:
    """One published version of the function. Its code and environment never change."""

    number: str
    model_uri: str | None
    code_sha256: str


def read_alias(stack: Stack) -> Alias:
    """Read which version of the function the alias serves.

    Raises:
        DeploymentError: AWS refuses, or there is no such function or alias.
    """
    deployment = stack.deployment
    with aws_errors(f"reading the version that {deployment.function_name} serves"):
        found = stack.client("lambda").get_alias(FunctionName=deployment.function_name, Name=deployment.alias)
    weights = (found.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
    return Alias(found["FunctionVersion"], dict(weights), found.get("RevisionId"))


def point_alias(stack: Stack, version: str) -> None:
    """Send all traffic to one version at once.

    Raises:
        DeploymentError: AWS refuses; the alias did not change.
    """
    deployment = stack.deployment
    with aws_errors(f"returning {deployment.function_name} to version {version}"):
        stack.client("lambda").update_alias(
            FunctionName=deployment.function_name,
            Name=deployment.alias,
            FunctionVersion=version,
            RoutingConfig={"AdditionalVersionWeights": {}},
        )


def list_versions(stack: Stack) -> dict[str, FunctionVersion]:
    """List every published version, by its number.

    Raises:
        DeploymentError: AWS refuses, or there is no such function.
    """
    name = stack.deployment.function_name
    with aws_errors(f"listing the versions of {name}"):
        pages = stack.client("lambda").get_paginator("list_versions_by_function").paginate(FunctionName=name)
        found = [_function_version(version) for page in pages for version in page["Versions"]]
    return {version.number: version for version in found if version.number != "$LATEST"}


def serving_model_uri(stack: Stack) -> str | None:
    """Find the model of the version with most of the traffic; None if it has no model.

    Raises:
        DeploymentError: AWS refuses, or there is no such function or alias.
    """
    version = list_versions(stack).get(read_alias(stack).version)
    return version.model_uri if version else None


def traffic_shares(stack: Stack) -> dict[str, float]:
    """Find the share of the traffic that each model gets, 0 to 1, by the model's URI.

    Raises:
        DeploymentError: AWS refuses, or there is no such function or alias.
    """
    alias, versions = read_alias(stack), list_versions(stack)
    shares: dict[str, float] = {}
    for number, share in {alias.version: 1 - sum(alias.canary.values()), **alias.canary}.items():
        if (uri := versions[number].model_uri) is not None:
            shares[uri] = shares.get(uri, 0) + share
    return shares


def publish_version(stack: Stack, model_uri: str) -> FunctionVersion:
    """Publish a version of the function: its newest code with a model. The alias does not change.

    If the last published version is the same already, Lambda returns that one.

    Raises:
        DeploymentError: AWS refuses, or another user changed the function in the meantime.
    """
    functions, name = stack.client("lambda"), stack.deployment.function_name
    try:
        with aws_errors(f"giving {name} the model"):
            latest = functions.get_function_configuration(FunctionName=name)
            variables = latest.get("Environment", {}).get("Variables", {})
            if variables.get(MODEL_URI) != model_uri:
                functions.update_function_configuration(
                    FunctionName=name,
                    Environment={"Variables": {**variables, MODEL_URI: model_uri}},
                    **_if_unchanged(latest),
                )
            functions.get_waiter("function_updated_v2").wait(FunctionName=name)
            latest = functions.get_function_configuration(FunctionName=name)
            if latest.get("Environment", {}).get("Variables", {}).get(MODEL_URI) != model_uri:
                raise _conflict(name)
            published = functions.publish_version(
                FunctionName=name, CodeSha256=latest["CodeSha256"], **_if_unchanged(latest)
            )
            functions.get_waiter("published_version_active").wait(FunctionName=name, Qualifier=published["Version"])
    except WaiterError as error:  # pragma: no cover - aws_errors() has translated all others
        raise DeploymentError(f"{name} does not become ready: {error}. Look at it in the console.") from error
    except DeploymentError as error:
        cause = error.__cause__
        if isinstance(cause, ClientError) and cause.response["Error"]["Code"] in _CONFLICTS:
            raise _conflict(name) from error
        raise
    return _function_version(published)


def invoke(stack: Stack, version: str, event: Mapping[str, Any]) -> dict[str, Any]:
    """Call one version of the function directly, not through the alias.

    Returns:
        its response, as API Gateway would get it.

    Raises:
        DeploymentError: AWS refuses, or the function failed.
    """
    function = stack.deployment.function_name
    with aws_errors(f"calling version {version} of {function}"):
        response = stack.client("lambda").invoke(
            FunctionName=function, Qualifier=version, Payload=json.dumps(event).encode()
        )
        payload = response["Payload"].read()
    if response.get("FunctionError"):
        raise DeploymentError(
            f"Version {version} of {function} failed: {payload.decode(errors='replace')[:300]}. Its log has the reason."
        )
    return dict(json.loads(payload))


def _function_version(configuration: Mapping[str, Any]) -> FunctionVersion:
    variables = configuration.get("Environment", {}).get("Variables", {})
    return FunctionVersion(configuration["Version"], variables.get(MODEL_URI) or None, configuration["CodeSha256"])


def _if_unchanged(configuration: Mapping[str, Any]) -> dict[str, str]:
    """Let AWS refuse if the function has changed since it was read; moto has no revisions of functions."""
    return {"RevisionId": configuration["RevisionId"]} if "RevisionId" in configuration else {}


def _conflict(name: str) -> DeploymentError:
    return DeploymentError(f"Another user changed {name} at the same moment. The alias did not change: try again.")
