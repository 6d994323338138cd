"""Is a version of the function the model that was measured? It is asked past the alias, before it serves anybody."""

import json
from pathlib import Path
from typing import Any

from contract.bundle import Manifest
from contract.errors import DeploymentError
from contract.events import http_event
from operations.deployment import Deployment
from operations.registry.serving import invoke
from training.artifact.golden import TOLERANCE, difference, read_golden


def check_version(deployment: Deployment, version: str, bundle: Path, manifest: Manifest) -> int:
    """Ask a version for its model and about the bundle's golden pictures.

    Returns:
        how many pictures it answered as it should: all, or none if the bundle is one that has none.

    Raises:
        DeploymentError: it answers with an error, with another model, or otherwise than when the model was made.
    """
    health = _ask(deployment, version, _event("GET", "/v1/health"))
    if health.get("model_version") != manifest.version:
        raise DeploymentError(
            f"Version {version} of the function answers with the model {health.get('model_version')} and not with "
            f"{manifest.version}; nobody was served by it. Promote again."
        )
    pictures = read_golden(bundle)
    for picture in pictures:
        answer = _ask(deployment, version, _event("POST", "/v1/predictions", picture.encoded))
        answered = {item["code"]: item["probability"] for item in answer["classes"]}
        if (differs := difference(picture, answered)) > TOLERANCE:
            raise DeploymentError(
                f"Version {version} of the function answers the golden picture {picture.name} otherwise than when the "
                f"model was made (by {differs:.3f}, and {TOLERANCE:g} is allowed); nobody was served by it. The code "
                "and the model do not fit: publish a bundle made with this code."
            )
    return len(pictures)


def _ask(deployment: Deployment, version: str, event: dict[str, Any]) -> dict[str, Any]:
    answer = invoke(deployment, version, event)
    body = json.loads(answer.get("body") or "{}")
    if answer.get("statusCode") != 200:
        detail = str(body.get("detail") or body)
        raise DeploymentError(
            f"Version {version} of the function answers {answer.get('statusCode')}: {detail.rstrip('.')}. Nobody was "
            "served by it."
        )
    return dict(body)


def _event(method: str, path: str, body: bytes = b"") -> dict[str, Any]:
    headers = [("content-type", "image/jpeg"), ("user-agent", "lesion")]
    return http_event(method, path, query="explain=false", headers=headers, body=body)
