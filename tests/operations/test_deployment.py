"""The description of a deployed stack."""

import json

import pytest

from contract.errors import DeploymentError
from operations.deployment import ALIAS, Deployment, parameter_of, parse_deployment

VALUES = {
    "region": "eu-central-1",
    "models_bucket": "models",
    "data_bucket": "data",
    "api_url": "https://api.example",
    "function_name": "classify",
    "model_package_group": "lesions",
    "training_role_arn": "arn:aws:iam::123456789012:role/training",
    "codedeploy_application": "classify",
    "codedeploy_group": "live",
}


def test_a_description_is_parsed() -> None:
    deployment = parse_deployment(json.dumps(VALUES), "dev")
    assert deployment == Deployment(**VALUES)
    assert (deployment.alias, deployment.training_subnets) == (ALIAS, ())


def test_keys_of_a_newer_version_are_ignored() -> None:
    assert parse_deployment(json.dumps({**VALUES, "news": 1}), "dev") == Deployment(**VALUES)


@pytest.mark.parametrize("text", ["{}", "no JSON", json.dumps({**VALUES, "region": 1})])
def test_a_description_of_an_older_version_is_refused_with_advice(text: str) -> None:
    with pytest.raises(DeploymentError, match=r"stack dev .* Run `pulumi up`"):
        parse_deployment(text, "dev")


def test_each_stack_has_its_own_parameter() -> None:
    assert parameter_of("dev") != parameter_of("prod")
