"""The function on AWS: what its alias serves, its versions, and a new one for a model."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from botocore.exceptions import ClientError, WaiterError

from contract.errors import DeploymentError
from operations.aws import client, told
from operations.deployment import Deployment

MODEL_URI: Final = "MODEL_URI"  # the function's environment variable
_CHANGED: Final = {"PreconditionFailedException", "ResourceConflictException"}


@dataclass(frozen=True)
class Alias:
    """What the API's callers get."""

    version: str  # of the function, with most of the traffic
    canary: dict[str, float] = field(default_factory=dict)  # another version -> its share
    revision: str | None = None


@dataclass(frozen=True)
class FunctionVersion:
    """One published version of the function: code and environment, which never change."""

    number: str
    model_uri: str | None
    code_sha256: str


def read_alias(deployment: Deployment) -> Alias:
    """Tell what is served.

    Raises:
        DeploymentError: AWS refuses, or there is no such function or alias.
    """
    with told(f"reading what {deployment.function_name} serves"):
        found = client("lambda", deployment.region).get_alias(
            FunctionName=deployment.function_name, Name=deployment.alias
        )
    weights = (found.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
    return Alias(found["FunctionVersion"], dict(weights), found.get("RevisionId"))


def point_alias(deployment: Deployment, version: str) -> None:
    """Send all traffic to one version, at once.

    Raises:
        DeploymentError: AWS refuses; what was served before still is.
    """
    with told(f"returning {deployment.function_name} to version {version}"):
        client("lambda", deployment.region).update_alias(
            FunctionName=deployment.function_name,
            Name=deployment.alias,
            FunctionVersion=version,
            RoutingConfig={"AdditionalVersionWeights": {}},
        )


def list_versions(deployment: Deployment) -> dict[str, FunctionVersion]:
    """List every published version, by its number.

    Raises:
        DeploymentError: AWS refuses, or there is no such function.
    """
    with told(f"listing the versions of {deployment.function_name}"):
        pages = client("lambda", deployment.region).get_paginator("list_versions_by_function")
        found = [
            _described(version)
            for page in pages.paginate(FunctionName=deployment.function_name)
            for version in page["Versions"]
        ]
    return {version.number: version for version in found if version.number != "$LATEST"}


def publish_version(deployment: Deployment, model_uri: str) -> FunctionVersion:
    """Give the newest code a model, and publish both as a version; what is served does not change by it.

    Nothing new is published if the last version is this already: Lambda sees to that.

    Raises:
        DeploymentError: AWS refuses, or somebody changed the function meanwhile.
    """
    functions, name = client("lambda", deployment.region), deployment.function_name
    try:
        with told(f"giving {name} the model"):
            latest = functions.get_function_configuration(FunctionName=name)
            variables = latest.get("Environment", {}).get("Variables", {})
            if variables.get(MODEL_URI) != model_uri:
                functions.update_function_configuration(
                    FunctionName=name,
                    Environment={"Variables": {**variables, MODEL_URI: model_uri}},
                    **_unless_changed(latest),
                )
            functions.get_waiter("function_updated_v2").wait(FunctionName=name)
            latest = functions.get_function_configuration(FunctionName=name)
            if latest.get("Environment", {}).get("Variables", {}).get(MODEL_URI) != model_uri:
                raise _changed(name)
            published = functions.publish_version(
                FunctionName=name, CodeSha256=latest["CodeSha256"], **_unless_changed(latest)
            )
            functions.get_waiter("published_version_active").wait(FunctionName=name, Qualifier=published["Version"])
    except WaiterError as error:  # pragma: no cover - told() says it of every other
        raise DeploymentError(f"{name} does not become ready: {error}. Look at it in the console.") from error
    except DeploymentError as error:
        cause = error.__cause__
        if isinstance(cause, ClientError) and cause.response["Error"]["Code"] in _CHANGED:
            raise _changed(name) from error
        raise
    return _described(published)


def invoke(deployment: Deployment, version: str, event: Mapping[str, Any]) -> dict[str, Any]:
    """Call one version of the function, past the alias.

    Returns:
        what it answered, as API Gateway would get it.

    Raises:
        DeploymentError: AWS refuses, or the function failed.
    """
    name = f"version {version} of {deployment.function_name}"
    with told(f"calling {name}"):
        answer = client("lambda", deployment.region).invoke(
            FunctionName=deployment.function_name, Qualifier=version, Payload=json.dumps(event).encode()
        )
        payload = answer["Payload"].read()
    if answer.get("FunctionError"):
        raise DeploymentError(f"{name} failed: {payload.decode(errors='replace')[:300]}. Its log says why.")
    return dict(json.loads(payload))


def _described(configuration: Mapping[str, Any]) -> FunctionVersion:
    variables = configuration.get("Environment", {}).get("Variables", {})
    return FunctionVersion(configuration["Version"], variables.get(MODEL_URI) or None, configuration["CodeSha256"])


def _unless_changed(configuration: Mapping[str, Any]) -> dict[str, str]:
    """Let AWS refuse if the function is no longer as it was read; moto knows no revisions of functions."""
    return {"RevisionId": configuration["RevisionId"]} if "RevisionId" in configuration else {}


def _changed(name: str) -> DeploymentError:
    return DeploymentError(f"Somebody else changed {name} at the same moment; nothing is served by it. Try again.")
