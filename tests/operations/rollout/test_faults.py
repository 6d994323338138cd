"""Whatever interrupts a promotion, users are answered by the old model or, once it has shown itself right, by the new.

`docs/lifecycle.md` shows what this test finds: it is compared with the table there.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from contract.bundle import read_bundle
from contract.errors import DeploymentError
from operations.registry.packages import find_package
from operations.registry.promote import Request, promote
from operations.registry.rollback import roll_back
from tests.local_cloud import LocalAws, LocalCloud, When, local_cloud, put_model

ANN = "arn:aws:iam::123456789012:user/ann"
CANARY_S = 0.3
DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "lifecycle.md"
STEPS: dict[str, str] = {  # a call -> the step that it belongs to
    "PutObject (lock)": "takes the lock",
    "GetObject (bundle)": "fetches and verifies the bundle",
    "UpdateFunctionConfiguration": "sets MODEL_URI",
    "PublishVersion": "publishes a version",
    "Invoke": "asks it about golden pictures",
    "UpdateModelPackage": "approves the package",
    "CreateDeployment": "starts the canary",
    "GetDeployment": "follows the canary",
}
READS = ("GetObject (bundle)", "Invoke", "GetDeployment")  # a lost answer of these is like a refusal
FAULTS: list[tuple[str, When]] = [(call, "refused") for call in STEPS]
FAULTS += [(call, "answer lost") for call in STEPS if call not in READS]


@pytest.fixture
def cloud(
    aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, models: dict[str, Path]
) -> Iterator[LocalCloud]:
    """An AWS whose function serves the fair model, behind a way that can be cut."""
    with local_cloud(
        aws, tmp_path / "function", canary_s=CANARY_S, environ=monkeypatch, first=models["fair"], faulty=True
    ) as made:
        put_model(models["good"])
        yield made


def documented() -> dict[tuple[str, str], tuple[str, str]]:
    """Read the table: (step, when) -> what users were answered by, and what the same command did then."""
    rows = re.findall(
        r"^\| ([\w ]+) \| (refused|answer lost) \| ([\w ,]+) \| ([\w ,]+) \|$", DOCUMENT.read_text(), re.M
    )
    return {(step, when): (saw, again) for step, when, saw, again in rows}


@pytest.mark.parametrize(("call", "when"), FAULTS)
def test_a_promotion_that_loses_aws_at_any_step_serves_and_can_be_finished(
    cloud: LocalCloud, models: dict[str, Path], tmp_path: Path, call: str, when: When
) -> None:
    """From one call on nothing gets through, as when a machine is switched off: the lock stays behind, too."""
    old, new = (read_bundle(models[name]).version for name in ("fair", "good"))
    request = Request(version=new, by=ANN)
    cloud.faults.arm(call, when)
    with pytest.raises(DeploymentError):
        promote(request, cloud.deployment, cache=tmp_path / "cache")
    started = any(of.status in ("Created", "InProgress", "Succeeded") for of in cloud.codedeploy._deployments.values())
    seen = cloud.serving(30)
    cloud.faults.repair()

    lines: list[str] = []
    done = promote(request, cloud.deployment, cache=tmp_path / "cache", say=lines.append)
    assert (done.outcome, cloud.serving()) == ("serves", {new})
    assert find_package(new, cloud.deployment.model_package_group).status == "Approved"
    assert len(cloud.codedeploy._deployments) == 1  # and not a second canary

    assert seen <= ({old, new} if started else {old})
    answered = "the old, and the new in its canary" if started else "the old model"
    again = "follows the canary or finds it done" if started else "finishes it"
    assert documented()[STEPS[call], when] == (answered, again)


def test_a_rollback_that_cannot_be_written_down_is_done_all_the_same(
    cloud: LocalCloud, models: dict[str, Path], tmp_path: Path
) -> None:
    promote(Request(version=models["good"].name, by=ANN), cloud.deployment, cache=tmp_path / "cache")
    cloud.faults.answer("UpdateModelPackage", 403, "AccessDeniedException", "not you")
    with pytest.raises(DeploymentError, match=r"Version 1 serves again, but .* not be written down: .*AWS denies it"):
        roll_back(cloud.deployment, by=ANN, why="a trial")
    assert cloud.serving() == {models["fair"].name}


def test_the_table_shows_every_fault_and_no_other() -> None:
    assert documented().keys() == {(STEPS[call], when) for call, when in FAULTS}
