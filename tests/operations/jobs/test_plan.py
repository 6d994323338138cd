"""A job is planned, priced and perhaps refused before anything is started."""

import json
from pathlib import Path
from typing import Any

import pytest

from contract.errors import DeploymentError, InvalidUriError
from operations.container.settings import parse_hyperparameters
from operations.deployment import Deployment
from operations.jobs.cost import estimate_job_cost
from operations.jobs.plan import Plan, make_plan
from operations.jobs.request import JobRequest
from operations.jobs.source import Source
from operations.jobs.training_data import TrainingData
from operations.prices import read_prices
from tests.operations.jobs.states import state
from tests.operations.test_deployment import VALUES
from training.config import TrainingConfig

DATA = TrainingData(
    uri="s3://data/ham10000/", images_uri="s3://data/ham10000/images/", images=84, image_bytes=1_000_000
)
SOURCE = Source(archive=b"source", files=("a",), commit="c0ffee", changed=False)


def plan(deployment: dict[str, Any] | None = None, **options: Any) -> Plan:
    values = Deployment.model_validate({**VALUES, "region": "us-east-1", **(deployment or {})})
    return make_plan(JobRequest(**options), values, data=DATA, image="image", source=SOURCE)


def test_options_that_are_not_given_come_from_the_stack() -> None:
    made = plan(
        {"training_subnets": ("subnet-1",), "training_security_groups": ("sg-1",), "tags": {"project": "lesions"}},
        tags={"who": "me"},
    )
    assert made.role_arn == VALUES["training_role_arn"]
    assert (made.subnets, made.security_groups) == (("subnet-1",), ("sg-1",))
    assert made.tags == {"project": "lesions", "who": "me"}
    assert made.job_uri == f"s3://data/jobs/{made.name}"
    assert made.checkpoints_uri == f"s3://data/jobs/{made.name}/checkpoints/"
    assert made.hyperparameters == {"publish_to": "s3://models", "model_package_group": "lesions"}
    assert made.max_wait_s == 2 * made.max_run_s
    json.dumps(made.to_json())


def test_the_training_configuration_survives_as_text() -> None:
    config = {"size": 64, "augment": "full", "frozen_views": 12, "mixup": 0.2, "weights": "none"}
    made = plan(config=config)
    assert parse_hyperparameters(made.hyperparameters).config == TrainingConfig(**config)  # type: ignore[arg-type]


def test_an_on_demand_job_does_not_wait_for_capacity() -> None:
    assert plan(spot=False, checkpoints=False).max_wait_s is None


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"checkpoints": False}, "Spot instances can be interrupted at any moment"),
        ({"budget_usd": 1.0}, r"up to \$5\.67, which is over the budget of \$1\.00: .*--max-hours 0\.7,"),
        ({"instances": 2, "budget_usd": 10.0}, r"up to \$11\.34"),
        ({"max_run_s": 5}, "between a minute and"),
        ({"max_wait_s": 60}, "--max-wait-hours includes the run itself"),
        ({"name": "my_job"}, "'my_job' cannot be the name of a job"),
        ({"weights": Path("absent.npz")}, r"no weights file absent\.npz"),
        ({"instance_type": "ml.unknown"}, "price of ml.unknown is not in .*--price-per-hour"),
    ],
)
def test_an_unsafe_request_is_refused_with_advice(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(DeploymentError, match=sentence):
        plan(**options)


def test_pictures_outside_s3_are_refused() -> None:
    with pytest.raises(InvalidUriError, match="data/ham10000 is not an S3 URI"):
        plan(data_uri="data/ham10000")


def test_the_highest_cost_is_the_on_demand_price_of_the_time_limit() -> None:
    cost = plan(instances=1, max_run_s=3600).cost
    assert cost.usd_per_hour == 1.408
    assert cost.high == pytest.approx(1.408 + 50 * 0.14 / 730)
    assert cost.low == pytest.approx(0.3 * 1.408 + 50 * 0.14 / 730)
    assert read_prices().as_of in cost.basis


def test_the_price_in_another_region_is_called_an_assumption() -> None:
    cost = estimate_job_cost(JobRequest(max_run_s=3600, volume_gb=10, spot=False), "eu-central-1")
    assert cost.usd_per_hour == pytest.approx(1.4 * 1.408)
    assert "times 1.4 for eu-central-1, which is an assumption" in cost.basis
    assert cost.low == cost.high


def test_a_job_is_resumed_with_its_checkpoint_its_configuration_and_its_weights() -> None:
    earlier = state(
        status="Stopped",
        checkpoints_uri="s3://data/jobs/a/checkpoints/",
        weights_uri="s3://data/jobs/a/weights/",
        hyperparameters={"size": "64", "seed": "1", "publish_to": "s3://elsewhere"},
    )
    made = make_plan(
        JobRequest(config={"seed": 2}).resume(earlier),
        Deployment.model_validate(VALUES),
        data=DATA,
        image="image",
        source=SOURCE,
    )
    assert made.checkpoints_uri == earlier.checkpoints_uri
    assert made.weights_uri == earlier.weights_uri
    assert made.hyperparameters["size"] == "64"
    assert made.hyperparameters["seed"] == "2"
    assert made.hyperparameters["publish_to"] == "s3://models"


@pytest.mark.parametrize(
    ("earlier", "sentence"),
    [
        (state(status="InProgress", checkpoints_uri="s3://data/a/"), "two jobs cannot write to one checkpoint"),
        (state(status="Failed"), "has no checkpoints"),
    ],
)
def test_a_job_that_cannot_be_resumed_is_refused(earlier: Any, sentence: str) -> None:
    with pytest.raises(DeploymentError, match=sentence):
        JobRequest().resume(earlier)
