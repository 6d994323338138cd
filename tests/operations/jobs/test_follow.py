"""Jobs are listed, followed and stopped; a lost connection is waited for, and every end is told."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from contract.errors import DeploymentError
from operations.aws import client
from operations.jobs.follow import Watcher, describe, follow, list_jobs, read_log, stop
from tests.local_aws import LocalAws, local_aws, put_job
from tests.operations.jobs.states import state

BUCKET = "data"


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    with local_aws(tmp_path_factory.mktemp("jobs")) as running:
        yield running


@pytest.fixture(scope="module")
def _resources(local: LocalAws) -> None:
    with pytest.MonkeyPatch.context() as patch:
        point_to(local, patch)
        boto3.client("s3").create_bucket(Bucket=BUCKET)


def point_to(local: LocalAws, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("AWS_ENDPOINT_URL", local.url)
    patch.setenv("AWS_ACCESS_KEY_ID", "test")
    patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    patch.setenv("AWS_REGION", "us-east-1")
    patch.setenv("AWS_MAX_ATTEMPTS", "1")


@pytest.fixture(autouse=True)
def _to_local(local: LocalAws, _resources: None, monkeypatch: pytest.MonkeyPatch) -> None:
    point_to(local, monkeypatch)


class Told:
    """Notes what a follower is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.progress: list[tuple[str, int, int]] = []
        self.states: list[str] = []
        self.trouble: list[str] = []
        self.waits = threading.Event()

    def watcher(self) -> Watcher:
        return Watcher(
            line=self._line,
            progress=lambda *report: self.progress.append(report),
            state=lambda state: self.states.append(state.secondary),
            trouble=self.trouble.append,
        )

    def _line(self, line: str) -> None:
        self.lines.append(line)
        if line == "waits":
            self.waits.set()


def test_a_job_is_followed_to_its_end_with_every_line_once() -> None:
    put_job(BUCKET, "good", "work")
    told = Told()
    ended = follow("good", told.watcher(), poll_s=0.05)
    assert (ended.status, ended.metrics) == ("Completed", {"loss": 0.25})
    assert told.lines == ["job good", *told.lines[1:2], "goes on from nothing", "loss 0.5", "loss 0.25"]
    assert told.progress == [("training", step, 3) for step in (1, 2, 3)]
    assert told.states[-1] == "Completed"
    assert [line for line in read_log("good") if not line.startswith("progress")] == told.lines
    assert list_jobs()[0].status == "Completed"


def test_a_lost_connection_is_waited_for_and_no_line_is_lost(local: LocalAws) -> None:
    put_job(BUCKET, "lonely", "wait")
    told, ended = Told(), []
    following = threading.Thread(target=lambda: ended.append(follow("lonely", told.watcher(), poll_s=0.05)))
    following.start()
    try:
        assert told.waits.wait(30)
        local.stop()
        while not told.trouble:
            following.join(0.05)
            assert following.is_alive()
    finally:
        local.start()
    while len(told.trouble) < 2:
        following.join(0.05)
        assert following.is_alive()
    assert told.trouble == [
        "the connection is lost; the job goes on, and so does this once it is back",
        "the connection is back",
    ]
    assert stop("lonely").status in ("Stopping", "Stopped")
    following.join(30)
    assert (ended[0].status, told.lines[-2:]) == ("Stopped", ["waits", "saved"])
    assert "lesion retrain --resume lonely" in ended[0].advice
    with pytest.raises(DeploymentError, match="The job lonely is Stopped already"):
        stop("lonely")


def test_a_connection_that_does_not_come_back_is_told(local: LocalAws) -> None:
    put_job(BUCKET, "left", "wait")
    told = Told()

    def cut() -> None:
        assert told.waits.wait(30)
        local.stop()

    cutting = threading.Thread(target=cut)
    cutting.start()
    try:
        with pytest.raises(DeploymentError, match=r"job goes on all the same: `lesion jobs logs left --follow`"):
            follow("left", told.watcher(), poll_s=0.05, patience_s=0.1)
    finally:
        cutting.join()
        local.start()
    stop("left")


def test_a_job_that_fails_says_why() -> None:
    put_job(BUCKET, "bad", "fail")
    ended = follow("bad", Told().watcher(), poll_s=0.05)
    assert ended.status == "Failed"
    assert ended.failure == "AlgorithmError: The loss stopped being a number., exit code: 1"


@pytest.mark.parametrize("ask", [describe, stop, read_log, lambda name: follow(name, Told().watcher())])
def test_an_unknown_job_is_told_with_where_to_look(ask: Any) -> None:
    with pytest.raises(DeploymentError, match="There is no job ghost: `lesion jobs list`"):
        ask("ghost")


@pytest.mark.parametrize(
    ("told_by_aws", "advice"),
    [
        ({"status": "Failed", "failure": "CapacityError: Unable to provision"}, "no such instances to spare"),
        ({"status": "Stopped", "secondary": "MaxWaitTimeExceeded"}, "wait longer, or pay for --on-demand"),
        (
            {"status": "Stopped", "secondary": "MaxRuntimeExceeded", "checkpoints_uri": "s3://data/c/"},
            "limit was reached. What it had learned is kept: `lesion retrain --resume a-job` goes on.",
        ),
        ({"status": "Completed", "checkpoints_uri": "s3://data/c/"}, ""),
    ],
)
def test_how_a_job_ended_comes_with_what_to_do(told_by_aws: dict[str, Any], advice: str) -> None:
    told = state(**told_by_aws).advice
    assert advice in told if advice else told == ""


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("ExpiredTokenException", "credentials have expired. Sign in again"),
        ("AccessDeniedException", r"AWS denies it \(not you\)"),
    ],
)
def test_credentials_that_end_while_a_job_is_followed_do_not_look_like_its_end(code: str, sentence: str) -> None:
    with Stubber(client("sagemaker")) as stub:  # moto lets everyone do everything
        stub.add_client_error("describe_training_job", code, "not you.", 400)
        with pytest.raises(DeploymentError, match=rf"Looking for the job a-job failed: .*{sentence}"):
            follow("a-job", Told().watcher())


def test_a_refusal_in_passing_is_not_the_end() -> None:
    put_job(BUCKET, "busy", "work")
    began = {"TrainingJobName": "busy", "CreationTime": datetime.now(UTC), "SecondaryStatus": "Training"}
    began |= {
        "TrainingJobArn": "arn:aws:sagemaker:us-east-1:123456789012:training-job/busy",
        "AlgorithmSpecification": {"TrainingInputMode": "File"},
        "ResourceConfig": {"VolumeSizeInGB": 1},
        "StoppingCondition": {},
        "ModelArtifacts": {"S3ModelArtifacts": ""},
    }
    told = Told()
    with Stubber(client("sagemaker")) as stub:
        stub.add_response("describe_training_job", {**began, "TrainingJobStatus": "InProgress"})
        stub.add_client_error("describe_training_job", "ThrottlingException", "slowly", 400)
        for _ in range(2):
            stub.add_response("describe_training_job", {**began, "TrainingJobStatus": "Completed"})
        ended = follow("busy", told.watcher(), poll_s=0.01)
    assert ended.status == "Completed"
    assert told.trouble[-1] == "the connection is back"
