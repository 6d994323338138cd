"""Check a new version of the function before it gets traffic: does it serve the model as it was measured?"""

import json
from pathlib import Path
from typing import Any

from contract.bundle import Manifest
from contract.errors import DeploymentError
from contract.events import http_event
from operations.account import Stack
from operations.rollout.function import invoke
from training.artifact.golden import TOLERANCE, difference, read_golden


def check_version(stack: Stack, version: str, bundle: Path, manifest: Manifest) -> int:
    """Call a version directly: it must name the model, and classify the bundle's golden pictures as recorded there.

    Returns:
        how many golden pictures it classified as recorded: all of them, or 0 if the bundle has none.

    Raises:
        DeploymentError: it returns an error, another model, or other probabilities.
    """
    health = _call(stack, version, _event("GET", "/v1/health"))
    if health.get("model_version") != manifest.version:
        raise DeploymentError(
            f"Version {version} of the function serves the model {health.get('model_version')} and not "
            f"{manifest.version}. It got no traffic: promote again."
        )
    pictures = read_golden(bundle)
    for picture in pictures:
        prediction = _call(stack, version, _event("POST", "/v1/predictions", picture.encoded))
        probabilities = {item["code"]: item["probability"] for item in prediction["classes"]}
        if (differs := difference(picture, probabilities)) > TOLERANCE:
            raise DeploymentError(
                f"Version {version} of the function gives other probabilities for the golden picture {picture.name} "
                f"than the bundle (they differ by {differs:.3f}, and {TOLERANCE:g} is allowed). It got no traffic. The "
                "code and the model do not fit together: publish a bundle made with this code."
            )
    return len(pictures)


def _call(stack: Stack, version: str, event: dict[str, Any]) -> dict[str, Any]:
    response = invoke(stack, version, event)
    body = json.loads(response.get("body") or "{}")
    if response.get("statusCode") != 200:
        detail = str(body.get("detail") or body)
        raise DeploymentError(
            f"Version {version} of the function returns {response.get('statusCode')}: {detail.rstrip('.')}. It got no "
            "traffic."
        )
    return dict(body)


def _event(method: str, path: str, body: bytes = b"") -> dict[str, Any]:
    headers = [("content-type", "image/jpeg"), ("user-agent", "lesion")]
    return http_event(method, path, query="explain=false", headers=headers, body=body)
