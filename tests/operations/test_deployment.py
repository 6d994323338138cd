"""What a stack tells the command line."""

import json

import pytest

from contract.errors import DeploymentError
from operations.deployment import ALIAS, Deployment, parameter_of, parse_deployment

TOLD = {
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


def test_a_stack_is_read_from_what_it_tells() -> None:
    deployment = parse_deployment(json.dumps(TOLD), "dev")
    assert deployment == Deployment(**TOLD)
    assert (deployment.alias, deployment.training_subnets) == (ALIAS, ())


def test_what_a_newer_stack_tells_beside_is_passed_over() -> None:
    assert parse_deployment(json.dumps({**TOLD, "news": 1}), "dev") == Deployment(**TOLD)


@pytest.mark.parametrize("text", ["{}", "no JSON", json.dumps({**TOLD, "region": 1})])
def test_what_an_older_stack_tells_is_refused_with_what_to_do(text: str) -> None:
    with pytest.raises(DeploymentError, match=r"stack dev .* Run `pulumi up`"):
        parse_deployment(text, "dev")


def test_each_stack_has_a_parameter_of_its_own() -> None:
    assert parameter_of("dev") != parameter_of("prod")
