"""Promoting and rolling back: users are answered by the old model until the new one has shown itself right."""

import dataclasses
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pytest

from contract.bundle import MANIFEST, read_bundle
from contract.errors import BundleError, DeploymentError
from operations.aws import read_deployment
from operations.registry.packages import Package, find_package
from operations.registry.promote import Promotion, Request, promote
from operations.registry.rollback import roll_back
from tests.local_cloud import LocalAws, LocalCloud, local_cloud, put_model
from training.progress import Say

CANARY_S = 0.5
Put, Go = Callable[[str], str], Callable[..., Promotion]
ANN, BOB = "arn:aws:iam::123456789012:user/ann", "arn:aws:iam::123456789012:user/bob"


@pytest.fixture
def cloud(
    aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, models: dict[str, Path]
) -> Iterator[LocalCloud]:
    """An AWS whose function serves the fair model, as its version 1."""
    with local_cloud(aws, tmp_path / "function", canary_s=CANARY_S, environ=monkeypatch, first=models["fair"]) as made:
        yield made


@pytest.fixture
def empty_cloud(aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalCloud]:
    """An AWS as `pulumi up` leaves it, whose function has no model."""
    with local_cloud(aws, tmp_path / "function", canary_s=CANARY_S, environ=monkeypatch) as made:
        yield made


@pytest.fixture
def put(models: dict[str, Path]) -> Callable[[str], str]:
    """Publish and register a model by its name in `models`, and return its version."""

    def put(name: str) -> str:
        put_model(models[name])
        return models[name].name

    return put


@pytest.fixture
def go(tmp_path: Path) -> Callable[..., Promotion]:
    """Promote a version, by Ann unless told otherwise."""

    def go(version: str, *, by: str = ANN, say: Say = lambda _: None, **words: object) -> Promotion:
        request = Request(version=version, by=by, **words)  # type: ignore[arg-type]
        return promote(request, read_deployment("local"), cache=tmp_path / "cache", say=say)

    return go


def package_of(cloud: LocalCloud, version: str) -> Package:
    return find_package(version, cloud.deployment.model_package_group)


def test_the_first_model_has_none_to_beat(empty_cloud: LocalCloud, put: Put, go: Go) -> None:
    assert empty_cloud.serving() == {"503"}
    fair = put("fair")
    first = go(fair, why="the first")
    assert (first.outcome, empty_cloud.serving()) == ("serves", {fair})
    assert package_of(empty_cloud, fair).approval.endswith(
        "No model serves yet that it could be compared with. the first"
    )


def test_a_better_model_is_promoted(cloud: LocalCloud, put: Put, go: Go, models: dict[str, Path]) -> None:
    fair, good = models["fair"].name, put("good")
    assert cloud.serving() == {fair}
    lines: list[str] = []
    done = go(good, say=lines.append)
    assert (done.function_version, cloud.serving()) == ("2", {good})
    assert any("passed every gate beside" in line for line in lines)
    assert any("answered 7 golden pictures right" in line for line in lines)
    package = package_of(cloud, good)
    assert package.status == "Approved"
    assert f"Approved by {ANN} at " in package.approval
    assert f"Passed every gate beside {fair}" in package.approval
    assert package.properties["function_version"] == "2"
    assert "served_since" in package.properties


def test_promoting_what_serves_changes_nothing(cloud: LocalCloud, put: Put, go: Go, models: dict[str, Path]) -> None:
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
    with pytest.raises(DeploymentError, match=r"does not pass beside .* \(balanced accuracy: .*--force --why"):
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
    assert "Forced, whatever the gates say: a demonstration" in package_of(cloud, bad).approval
    done = roll_back(cloud.deployment, by=BOB, why="it was one")
    assert (done.left.number, done.serves.number, done.stopped) == ("2", "1", None)
    assert cloud.serving() == {fair}
    rejected = package_of(cloud, bad)
    assert (rejected.status, f"Rejected by {BOB}" in rejected.approval, "it was one" in rejected.approval) == (
        "Rejected",
        True,
        True,
    )
    with pytest.raises(DeploymentError, match="is not to go out again"):
        go(bad)
    with pytest.raises(DeploymentError, match="There is no version to return to"):
        roll_back(cloud.deployment, by=BOB, why="once more")


def test_a_version_that_answers_otherwise_than_when_it_was_made_reaches_nobody(
    cloud: LocalCloud, put: Put, go: Go, models: dict[str, Path]
) -> None:
    fair, good = models["fair"].name, put("good")
    key = f"models/{good}/golden/answers.json"
    answers = json.loads((models["good"] / "golden/answers.json").read_text())
    answers["mel.jpg"]["mel"] = 1 - answers["mel.jpg"]["mel"]
    spoilt = json.dumps(answers).encode()
    s3, bucket = boto3.client("s3"), cloud.deployment.models_bucket
    s3.put_object(Bucket=bucket, Key=key, Body=spoilt)
    with pytest.raises(BundleError, match=r"answers\.json is not the file"):
        go(good)
    manifest = read_bundle(models["good"])
    described = {"sha256": hashlib.sha256(spoilt).hexdigest(), "bytes": len(spoilt)}
    text = manifest.model_dump(mode="json")
    text["files"]["golden/answers.json"] = described
    s3.put_object(Bucket=bucket, Key=f"models/{good}/{MANIFEST}", Body=json.dumps(text).encode())
    with pytest.raises(DeploymentError, match=r"golden picture mel\.jpg otherwise .* nobody was served by it"):
        go(good, force=True, why="it cannot be forced")
    assert cloud.serving() == {fair}
    assert package_of(cloud, good).status == "PendingManualApproval"


def test_a_bundle_that_is_not_whole_in_s3_reaches_nobody(
    cloud: LocalCloud, put: Put, go: Go, models: dict[str, Path]
) -> None:
    fair, good = models["fair"].name, put("good")
    boto3.client("s3").put_object(Bucket=cloud.deployment.models_bucket, Key=f"models/{good}/model.onnx", Body=b"x")
    with pytest.raises(BundleError, match=r"model\.onnx is not the file"):
        go(good, force=True, why="it cannot be forced")
    assert cloud.serving() == {fair}


def test_a_canary_whose_calls_fail_goes_back_by_itself(
    cloud: LocalCloud, put: Put, go: Go, models: dict[str, Path]
) -> None:
    fair, good = models["fair"].name, put("good")

    def break_it(line: str) -> None:
        if line.startswith("started the canary"):
            cloud.versions["2"].breaks = True
            asking.start()

    asking = threading.Thread(target=cloud.serving, args=[200])
    with pytest.raises(DeploymentError, match=r"canary .* went back by itself: .*ALARM_ACTIVE.* Version 1 serves"):
        go(good, say=break_it)
    asking.join()
    assert cloud.serving() == {fair}
    assert "the canary went back" in package_of(cloud, good).approval


def test_a_canary_can_be_stopped_by_a_rollback_in_one_command(
    cloud: LocalCloud, put: Put, go: Go, models: dict[str, Path]
) -> None:
    fair, good = models["fair"].name, put("good")
    cloud.codedeploy._canary_s = 60
    started = go(good, wait=False)
    assert started.outcome == "canary"
    assert cloud.serving(300) == {fair, good}
    with pytest.raises(DeploymentError, match="Another promotion is under way"):
        go(put("old"), by=BOB, force=True, why="at the same time")
    done = roll_back(cloud.deployment, by=BOB, why="I saw something")
    assert done.stopped == started.deployment_id
    assert cloud.serving() == {fair}


def test_new_code_goes_out_with_the_same_model(cloud: LocalCloud, put: Put, go: Go, models: dict[str, Path]) -> None:
    fair = models["fair"].name
    boto3.client("lambda").update_function_code(FunctionName="classify", ImageUri="000000000000.dkr.ecr/classify:new")
    lines: list[str] = []
    done = go(fair, say=lines.append)
    assert (done.outcome, done.function_version) == ("serves", "2")
    assert "the same model serves already: nothing to compare" in lines
    assert roll_back(cloud.deployment, by=ANN, why="back").serves.number == "1"
    assert package_of(cloud, fair).status == "Approved"


def test_of_two_engineers_one_wins_and_the_other_is_told(
    cloud: LocalCloud, put: Put, go: Go, models: dict[str, Path]
) -> None:
    bad, good = put("bad"), put("good")
    told: list[str] = []

    def second(line: str) -> None:
        if line.startswith("published"):
            with pytest.raises(DeploymentError, match=f"{ANN} promotes the model {bad} since .* wait") as refused:
                go(good, by=BOB)
            told.append(str(refused.value))

    go(bad, force=True, why="to be in the way", say=second)
    assert len(told) == 1
    assert cloud.serving() == {bad}
    go(good, by=BOB)
    assert cloud.serving() == {good}


def test_a_bundle_of_earlier_days_needs_a_reason(
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


def test_an_unknown_version_is_told(cloud: LocalCloud, go: Go) -> None:
    with pytest.raises(DeploymentError, match="There is no model 20990101"):
        go("20990101")


def test_a_function_that_is_not_there_is_told(cloud: LocalCloud, put: Put, tmp_path: Path) -> None:
    elsewhere = cloud.deployment.model_copy(update={"function_name": "no-such-function"})
    with pytest.raises(DeploymentError, match=r"no-such-function.* failed"):
        promote(Request(version=put("good"), by=ANN), elsewhere, cache=tmp_path)
    assert dataclasses.asdict(Request(version="x", by=ANN))["force"] is False
