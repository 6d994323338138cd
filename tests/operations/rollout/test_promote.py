"""Promoting and rolling back: users get the old model until the new one has passed its checks."""

import dataclasses
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from contract.bundle import MANIFEST, read_bundle
from contract.errors import BundleError, DeploymentError
from operations.account import open_stack
from operations.registry.packages import ModelPackage
from operations.rollout.promote import Promotion, PromotionRequest, promote
from operations.rollout.rollback import roll_back
from tests.local_cloud import LocalAws, LocalCloud, local_cloud, put_model
from training.progress import Log, ignore_line

CANARY_S = 0.5
Put = Callable[[str], str]
Go = Callable[..., Promotion]
ANN, BOB = "arn:aws:iam::123456789012:user/ann", "arn:aws:iam::123456789012:user/bob"


@pytest.fixture
def cloud(
    aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, models: dict[str, Path]
) -> Iterator[LocalCloud]:
    """An AWS whose function serves the fair model as its version 1."""
    with local_cloud(aws, tmp_path / "function", canary_s=CANARY_S, environ=monkeypatch, first=models["fair"]) as made:
        yield made


@pytest.fixture
def empty_cloud(aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalCloud]:
    """An AWS as after `pulumi up`: the function has no model."""
    with local_cloud(aws, tmp_path / "function", canary_s=CANARY_S, environ=monkeypatch) as made:
        yield made


@pytest.fixture
def put(models: dict[str, Path]) -> Put:
    """Publish and register a model by its name in `models`, and return its version."""

    def put(name: str) -> str:
        put_model(models[name])
        return models[name].name

    return put


@pytest.fixture
def go(tmp_path: Path) -> Go:
    """Promote a version, as Ann by default."""

    def go(version: str, *, by: str = ANN, log: Log = ignore_line, **options: Any) -> Promotion:
        request = PromotionRequest(version=version, by=by, **options)
        return promote(request, open_stack("local"), cache=tmp_path / "cache", log=log)

    return go


def package_of(cloud: LocalCloud, version: str) -> ModelPackage:
    return cloud.registry.find(version)


def approval_of(cloud: LocalCloud, version: str) -> str:
    approval = package_of(cloud, version).approval
    assert approval is not None
    return approval


def test_the_first_model_is_compared_with_none(empty_cloud: LocalCloud, put: Put, go: Go) -> None:
    assert empty_cloud.serving() == {"503"}
    fair = put("fair")
    first = go(fair, why="the first")
    assert (first.outcome, empty_cloud.serving()) == ("serves", {fair})
    assert approval_of(empty_cloud, fair).endswith("No model serves yet to compare it with. the first")


def test_a_better_model_is_promoted(cloud: LocalCloud, put: Put, go: Go, models: dict[str, Path]) -> None:
    fair, good = models["fair"].name, put("good")
    assert cloud.serving() == {fair}
    lines: list[str] = []
    done = go(good, log=lines.append)
    assert (done.function_version, cloud.serving()) == ("2", {good})
    assert any("passed every gate against" in line for line in lines)
    assert any("classified 7 golden pictures as the bundle records" in line for line in lines)
    package = package_of(cloud, good)
    assert package.status == "Approved"
    assert f"Approved by {ANN} at " in approval_of(cloud, good)
    assert f"Passed every gate against {fair}" in approval_of(cloud, good)
    assert package.properties["function_version"] == "2"
    assert "served_since" in package.properties


def test_promoting_the_serving_version_changes_nothing(
    cloud: LocalCloud, put: Put, go: Go, models: dict[str, Path]
) -> None:
    fair = models["fair"].name
    first = go(fair)
    approval = package_of(cloud, fair).approval
    again = go(fair, by=BOB)
    assert first == again == Promotion(version=fair, function_version="1", outcome="serves")
    assert package_of(cloud, fair).approval == approval


def test_a_worse_model_is_refused_and_nothing_is_touched(
    cloud: LocalCloud, put: Put, go: Go, models: dict[str, Path]
) -> None:
    fair, bad = models["fair"].name, put("bad")
    before = len(boto3.client("lambda").list_versions_by_function(FunctionName="classify")["Versions"])
    with pytest.raises(DeploymentError, match=r"does not pass against .* \(balanced accuracy: .*--force --why"):
        go(bad)
    assert cloud.serving() == {fair}
    assert package_of(cloud, bad).status == "PendingManualApproval"
    assert len(boto3.client("lambda").list_versions_by_function(FunctionName="classify")["Versions"]) == before


def test_a_worse_model_can_be_forced_with_a_reason_and_rolled_back(
    cloud: LocalCloud, put: Put, go: Go, models: dict[str, Path]
) -> None:
    fair, bad = models["fair"].name, put("bad")
    go(bad, force=True, why="a demonstration")
    assert cloud.serving() == {bad}
    assert "Forced without the gates: a demonstration" in approval_of(cloud, bad)
    done = roll_back(cloud.stack, by=BOB, why="it was one")
    assert (done.left.number, done.serves.number, done.stopped) == ("2", "1", None)
    assert cloud.serving() == {fair}
    assert package_of(cloud, bad).status == "Rejected"
    assert f"Rejected by {BOB}" in approval_of(cloud, bad)
    assert "it was one" in approval_of(cloud, bad)
    with pytest.raises(DeploymentError, match=rf"{bad} is rejected \(Rejected by {BOB}"):
        go(bad)
    with pytest.raises(DeploymentError, match="There is no version to return to"):
        roll_back(cloud.stack, by=BOB, why="once more")


def test_a_version_with_other_predictions_than_its_bundle_gets_no_traffic(
    cloud: LocalCloud, put: Put, go: Go, models: dict[str, Path]
) -> None:
    fair, good = models["fair"].name, put("good")
    key = f"models/{good}/golden/answers.json"
    answers = json.loads((models["good"] / "golden/answers.json").read_text())
    answers["mel.jpg"]["mel"] = 1 - answers["mel.jpg"]["mel"]
    changed = json.dumps(answers).encode()
    s3, bucket = boto3.client("s3"), cloud.stack.deployment.models_bucket
    s3.put_object(Bucket=bucket, Key=key, Body=changed)
    with pytest.raises(BundleError, match=r"answers\.json is not the file"):
        go(good)
    manifest = read_bundle(models["good"])
    described = {"sha256": hashlib.sha256(changed).hexdigest(), "bytes": len(changed)}
    text = manifest.model_dump(mode="json")
    text["files"]["golden/answers.json"] = described
    s3.put_object(Bucket=bucket, Key=f"models/{good}/{MANIFEST}", Body=json.dumps(text).encode())
    with pytest.raises(
        DeploymentError, match=r"other probabilities for the golden picture mel\.jpg .* It got no traffic"
    ):
        go(good, force=True, why="it cannot be forced")
    assert cloud.serving() == {fair}
    assert package_of(cloud, good).status == "PendingManualApproval"


def test_a_damaged_bundle_in_s3_gets_no_traffic(cloud: LocalCloud, put: Put, go: Go, models: dict[str, Path]) -> None:
    fair, good = models["fair"].name, put("good")
    boto3.client("s3").put_object(
        Bucket=cloud.stack.deployment.models_bucket, Key=f"models/{good}/model.onnx", Body=b"x"
    )
    with pytest.raises(BundleError, match=r"model\.onnx is not the file"):
        go(good, force=True, why="it cannot be forced")
    assert cloud.serving() == {fair}


def test_a_canary_whose_calls_fail_is_rolled_back(cloud: LocalCloud, put: Put, go: Go, models: dict[str, Path]) -> None:
    fair, good = models["fair"].name, put("good")

    def break_it(line: str) -> None:
        if line.startswith("started the canary"):
            cloud.versions["2"].broken = True
            asking.start()

    asking = threading.Thread(target=cloud.serving, args=[200])
    with pytest.raises(DeploymentError, match=r"canary .* was rolled back: .*ALARM_ACTIVE.* Version 1 serves"):
        go(good, log=break_it)
    asking.join()
    assert cloud.serving() == {fair}
    assert "the canary was rolled back" in approval_of(cloud, good)


def test_a_rollback_stops_a_running_canary(cloud: LocalCloud, put: Put, go: Go, models: dict[str, Path]) -> None:
    fair, good = models["fair"].name, put("good")
    cloud.codedeploy._canary_s = 60
    started = go(good, wait=False)
    assert started.outcome == "canary"
    assert cloud.serving(300) == {fair, good}
    with pytest.raises(DeploymentError, match="Another promotion is running"):
        go(put("old"), by=BOB, force=True, why="at the same time")
    done = roll_back(cloud.stack, by=BOB, why="I saw something")
    assert done.stopped == started.deployment_id
    assert cloud.serving() == {fair}


def test_the_serving_model_can_be_promoted_again_on_new_code(
    cloud: LocalCloud, put: Put, go: Go, models: dict[str, Path]
) -> None:
    fair = models["fair"].name
    boto3.client("lambda").update_function_code(FunctionName="classify", ImageUri="000000000000.dkr.ecr/classify:new")
    lines: list[str] = []
    done = go(fair, log=lines.append)
    assert (done.outcome, done.function_version) == ("serves", "2")
    assert "the same model already serves: nothing to compare" in lines
    assert roll_back(cloud.stack, by=ANN, why="back").serves.number == "1"
    assert package_of(cloud, fair).status == "Approved"


def test_of_two_promotions_at_once_one_is_refused(cloud: LocalCloud, put: Put, go: Go, models: dict[str, Path]) -> None:
    bad, good = put("bad"), put("good")
    refusals: list[str] = []

    def second(line: str) -> None:
        if line.startswith("published"):
            with pytest.raises(
                DeploymentError, match=f"{ANN} has been promoting the model {bad} since .* wait"
            ) as refused:
                go(good, by=BOB)
            refusals.append(str(refused.value))

    go(bad, force=True, why="to hold the lock", log=second)
    assert len(refusals) == 1
    assert cloud.serving() == {bad}
    go(good, by=BOB)
    assert cloud.serving() == {good}


def test_a_bundle_without_golden_pictures_must_be_forced(
    empty_cloud: LocalCloud, put: Put, go: Go, models: dict[str, Path]
) -> None:
    old = put("old")
    with pytest.raises(DeploymentError, match="before bundles had golden pictures"):
        go(old)
    assert empty_cloud.serving() == {"503"}
    go(old, force=True, why="there is no other yet")
    assert empty_cloud.serving() == {old}
    with pytest.raises(DeploymentError, match=r"with --data, or promote it with --force --why"):
        go(put("good"))


def test_an_unknown_version_is_an_error(cloud: LocalCloud, go: Go) -> None:
    with pytest.raises(DeploymentError, match="There is no model 20990101"):
        go("20990101")


def test_a_missing_function_is_an_error(cloud: LocalCloud, put: Put, tmp_path: Path) -> None:
    deployment = cloud.stack.deployment.model_copy(update={"function_name": "no-such-function"})
    stack = dataclasses.replace(cloud.stack, deployment=deployment)
    with pytest.raises(DeploymentError, match=r"no-such-function.* failed"):
        promote(PromotionRequest(version=put("good"), by=ANN), stack, cache=tmp_path)
