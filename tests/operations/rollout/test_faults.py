"""A promotion is interrupted at each step: users get the old model, or the new one after its check.

`docs/lifecycle.md` has the results in a table, which this test compares.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from contract.bundle import read_bundle
from contract.errors import DeploymentError
from operations.rollout.promote import PromotionRequest, promote
from operations.rollout.rollback import roll_back
from tests.local_cloud import LocalAws, LocalCloud, When, local_cloud, put_model

ANN = "arn:aws:iam::123456789012:user/ann"
CANARY_S = 0.3
DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "lifecycle.md"
STEPS: dict[str, str] = {  # API call -> step of a promotion
    "PutObject (lock)": "takes the lock",
    "GetObject (bundle)": "fetches and verifies the bundle",
    "UpdateFunctionConfiguration": "sets MODEL_URI",
    "PublishVersion": "publishes a version",
    "Invoke": "checks the golden pictures",
    "UpdateModelPackage": "approves the package",
    "CreateDeployment": "starts the canary",
    "GetDeployment": "follows the canary",
}
READS = ("GetObject (bundle)", "Invoke", "GetDeployment")  # these change nothing: a lost response is like a refusal
FAULTS: list[tuple[str, When]] = [(call, "refused") for call in STEPS]
FAULTS += [(call, "response lost") for call in STEPS if call not in READS]


@pytest.fixture
def cloud(
    aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, models: dict[str, Path]
) -> Iterator[LocalCloud]:
    """An AWS whose function serves the fair model, with a connection that can be cut."""
    with local_cloud(
        aws, tmp_path / "function", canary_s=CANARY_S, environ=monkeypatch, first=models["fair"], faulty=True
    ) as made:
        put_model(models["good"])
        yield made


def documented() -> dict[tuple[str, str], tuple[str, str]]:
    """Read the table: (step, fault) -> the models that users got, and what the same command did afterwards."""
    rows = re.findall(
        r"^\| ([\w ]+) \| (refused|response lost) \| ([\w ,]+) \| ([\w ,]+) \|$", DOCUMENT.read_text(), re.M
    )
    return {(step, when): (models, retry) for step, when, models, retry in rows}


@pytest.mark.parametrize(("call", "when"), FAULTS)
def test_an_interrupted_promotion_leaves_users_a_good_model_and_can_be_finished(
    cloud: LocalCloud, models: dict[str, Path], tmp_path: Path, call: str, when: When
) -> None:
    """From one API call on, every call fails, as if the machine were switched off; the lock is not released either."""
    old, new = (read_bundle(models[name]).version for name in ("fair", "good"))
    request = PromotionRequest(version=new, by=ANN)
    cloud.faults.arm(call, when)
    with pytest.raises(DeploymentError):
        promote(request, cloud.stack, cache=tmp_path / "cache")
    started = any(
        deployment.status in ("Created", "InProgress", "Succeeded")
        for deployment in cloud.codedeploy._deployments.values()
    )
    seen = cloud.serving(30)
    cloud.faults.repair()

    lines: list[str] = []
    done = promote(request, cloud.stack, cache=tmp_path / "cache", log=lines.append)
    assert (done.outcome, cloud.serving()) == ("serves", {new})
    assert cloud.registry.find(new).status == "Approved"
    assert len(cloud.codedeploy._deployments) == 1  # no second canary

    assert seen <= ({old, new} if started else {old})
    models_seen = "the old, and the new in its canary" if started else "the old model"
    retry = "follows the canary or finds it done" if started else "finishes it"
    assert documented()[STEPS[call], when] == (models_seen, retry)


def test_a_rollback_that_cannot_be_recorded_takes_effect(
    cloud: LocalCloud, models: dict[str, Path], tmp_path: Path
) -> None:
    promote(PromotionRequest(version=models["good"].name, by=ANN), cloud.stack, cache=tmp_path / "cache")
    cloud.faults.answer("UpdateModelPackage", 403, "AccessDeniedException", "not you")
    with pytest.raises(DeploymentError, match=r"Version 1 serves again, but .* could not be recorded: .*AWS denies it"):
        roll_back(cloud.stack, by=ANN, why="a trial")
    assert cloud.serving() == {models["fair"].name}


def test_the_table_has_exactly_the_tested_faults() -> None:
    assert documented().keys() == {(STEPS[call], when) for call, when in FAULTS}
