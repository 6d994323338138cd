"""A job is worked out, priced and refused before anything is started."""

import json
from pathlib import Path
from typing import Any

import pytest

from contract.errors import DeploymentError, InvalidUriError
from operations.deployment import Deployment
from operations.jobs.cost import estimate
from operations.jobs.plan import Data, Plan, Wishes, make_plan
from operations.jobs.settings import parse_hyperparameters
from operations.jobs.source import Source
from operations.prices import read_prices
from tests.operations.jobs.states import state
from tests.operations.test_deployment import TOLD
from training.config import TrainingConfig

DATA = Data(uri="s3://data/ham10000/", images_uri="s3://data/ham10000/images/", images=84, image_bytes=1_000_000)
SOURCE = Source(archive=b"source", files=("a",), commit="c0ffee", changed=False)


def plan(deployment: dict[str, Any] | None = None, **wishes: Any) -> Plan:
    told = Deployment(**{**TOLD, "region": "us-east-1", **(deployment or {})})
    return make_plan(Wishes(**wishes), told, data=DATA, image="image", source=SOURCE)


def test_what_is_not_wished_for_is_the_stacks() -> None:
    made = plan(
        {"training_subnets": ("subnet-1",), "training_security_groups": ("sg-1",), "tags": {"project": "lesions"}},
        tags={"who": "me"},
    )
    assert made.role_arn == TOLD["training_role_arn"]
    assert (made.subnets, made.security_groups) == (("subnet-1",), ("sg-1",))
    assert made.tags == {"project": "lesions", "who": "me"}
    assert made.job_uri == f"s3://data/jobs/{made.name}"
    assert made.checkpoints_uri == f"s3://data/jobs/{made.name}/checkpoints/"
    assert made.hyperparameters == {"publish_to": "s3://models", "model_package_group": "lesions"}
    assert made.max_wait_s == 2 * made.max_run_s
    json.dumps(made.to_json())


def test_a_run_crosses_as_text_and_is_understood_as_it_was_meant() -> None:
    config = {"size": 64, "augment": False, "mixup": 0.2, "weights": "none"}
    made = plan(config=config)
    assert parse_hyperparameters(made.hyperparameters).config == TrainingConfig(**config)  # type: ignore[arg-type]


def test_on_demand_nothing_waits_for_capacity() -> None:
    assert plan(spot=False, checkpoints=False).max_wait_s is None


@pytest.mark.parametrize(
    ("wishes", "sentence"),
    [
        ({"checkpoints": False}, "Spot instances are taken away at any moment"),
        ({"budget_usd": 1.0}, r"up to \$5\.67, which is over the budget of \$1\.00: .*--max-hours 0\.7,"),
        ({"instances": 2, "budget_usd": 10.0}, r"up to \$11\.34"),
        ({"max_run_s": 5}, "a minute at least"),
        ({"max_wait_s": 60}, "--max-wait-hours holds the run itself too"),
        ({"name": "my_job"}, "'my_job' is no name for a job"),
        ({"data_uri": "data/ham10000"}, "is not an S3 URI"),
        ({"weights": Path("absent.npz")}, r"no file of weights at absent\.npz"),
        ({"instance_type": "ml.unknown"}, "price of ml.unknown is not in .*--price-per-hour"),
    ],
)
def test_what_is_unsafe_is_refused_with_what_to_do(wishes: dict[str, Any], sentence: str) -> None:
    with pytest.raises((DeploymentError, InvalidUriError), match=sentence):
        plan(**wishes)


def test_no_limit_lets_a_job_cost_more_than_was_said() -> None:
    cost = plan(instances=1, max_run_s=3600).cost
    assert (cost.usd_per_hour, cost.high) == (1.408, pytest.approx(1.408 + 50 * 0.14 / 730))
    assert cost.low == pytest.approx(0.3 * 1.408 + 50 * 0.14 / 730)
    assert read_prices().as_of in cost.basis


def test_a_price_of_another_region_is_told_to_be_an_assumption() -> None:
    there = estimate(
        instance_type="ml.g5.xlarge", instances=1, max_run_s=3600, volume_gb=10, spot=False, region="eu-central-1"
    )
    assert there.usd_per_hour == pytest.approx(1.4 * 1.408)
    assert "for eu-central-1 taken times 1.4, which is an assumption" in there.basis
    assert there.low == there.high


def test_a_job_is_taken_up_with_its_checkpoint_its_run_and_its_weights() -> None:
    earlier = state(
        status="Stopped",
        checkpoints_uri="s3://data/jobs/a/checkpoints/",
        weights_uri="s3://data/jobs/a/weights/",
        hyperparameters={"size": "64", "seed": "1", "publish_to": "s3://elsewhere"},
    )
    made = make_plan(
        Wishes(config={"seed": 2}).resuming(earlier), Deployment(**TOLD), data=DATA, image="image", source=SOURCE
    )
    assert made.checkpoints_uri == earlier.checkpoints_uri
    assert made.weights_uri == earlier.weights_uri
    assert made.hyperparameters["size"] == "64"
    assert made.hyperparameters["seed"] == "2"
    assert made.hyperparameters["publish_to"] == "s3://models"


@pytest.mark.parametrize(
    ("earlier", "sentence"),
    [
        (state(status="InProgress", checkpoints_uri="s3://data/a/"), "two jobs would write one checkpoint"),
        (state(status="Failed"), "has kept no checkpoints"),
    ],
)
def test_a_job_that_cannot_be_taken_up_is_told(earlier: Any, sentence: str) -> None:
    with pytest.raises(DeploymentError, match=sentence):
        Wishes().resuming(earlier)
