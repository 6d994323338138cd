"""Jobs are listed, followed and stopped; a lost connection is tried again, and every end is explained."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from contract.errors import DeploymentError
from operations.account import Account
from operations.jobs.follow import JobListener, follow
from operations.jobs.job import describe_job, list_jobs, stop_job
from operations.jobs.log import read_log
from tests.local_aws import LocalAws, local_aws, put_job
from tests.operations.jobs.states import state

BUCKET = "data"
ACCOUNT = Account()


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


class Recorder:
    """Records what a listener is called with."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.progress: list[tuple[str, int, int]] = []
        self.states: list[str] = []
        self.connection: list[str] = []
        self.waits = threading.Event()

    def listener(self) -> JobListener:
        return JobListener(
            line=self._line,
            progress=lambda *report: self.progress.append(report),
            state=lambda state: self.states.append(state.secondary),
            connection=self.connection.append,
        )

    def _line(self, line: str) -> None:
        self.lines.append(line)
        if line == "waits":
            self.waits.set()


def test_a_job_is_followed_to_its_end_with_every_line_once() -> None:
    put_job(BUCKET, "good", "work")
    recorder = Recorder()
    ended = follow("good", recorder.listener(), ACCOUNT, poll_s=0.05)
    assert (ended.status, ended.metrics) == ("Completed", {"loss": 0.25})
    assert recorder.lines == ["job good", *recorder.lines[1:2], "goes on from nothing", "loss 0.5", "loss 0.25"]
    assert recorder.progress == [("training", step, 3) for step in (1, 2, 3)]
    assert recorder.states[-1] == "Completed"
    assert [line for line in read_log("good", ACCOUNT) if not line.startswith("progress")] == recorder.lines
    assert list_jobs(ACCOUNT)[0].status == "Completed"


def test_following_continues_after_a_lost_connection_and_no_line_is_lost(local: LocalAws) -> None:
    put_job(BUCKET, "lonely", "wait")
    recorder, ended = Recorder(), []
    following = threading.Thread(
        target=lambda: ended.append(follow("lonely", recorder.listener(), ACCOUNT, poll_s=0.05))
    )
    following.start()
    try:
        assert recorder.waits.wait(30)
        local.stop()
        while not recorder.connection:
            following.join(0.05)
            assert following.is_alive()
    finally:
        local.start()
    while len(recorder.connection) < 2:
        following.join(0.05)
        assert following.is_alive()
    assert recorder.connection == [
        "the connection is lost, but the job continues; trying to reconnect",
        "the connection is back",
    ]
    assert stop_job("lonely", ACCOUNT).status in ("Stopping", "Stopped")
    following.join(30)
    assert (ended[0].status, recorder.lines[-2:]) == ("Stopped", ["waits", "saved"])
    assert "lesion retrain --resume lonely" in ended[0].advice
    with pytest.raises(DeploymentError, match="The job lonely is Stopped already"):
        stop_job("lonely", ACCOUNT)


def test_a_connection_that_stays_lost_is_an_error(local: LocalAws) -> None:
    put_job(BUCKET, "left", "wait")
    recorder = Recorder()

    def cut() -> None:
        assert recorder.waits.wait(30)
        local.stop()

    cutting = threading.Thread(target=cut)
    cutting.start()
    try:
        with pytest.raises(DeploymentError, match=r"but the job continues: `lesion jobs logs left --follow`"):
            follow("left", recorder.listener(), ACCOUNT, poll_s=0.05, reconnect_timeout_s=0.1)
    finally:
        cutting.join()
        local.start()
    stop_job("left", ACCOUNT)


def test_a_job_that_fails_says_why() -> None:
    put_job(BUCKET, "bad", "fail")
    ended = follow("bad", Recorder().listener(), ACCOUNT, poll_s=0.05)
    assert ended.status == "Failed"
    assert ended.failure == "AlgorithmError: The loss stopped being a number., exit code: 1"


@pytest.mark.parametrize(
    "call", [describe_job, stop_job, read_log, lambda name, account: follow(name, Recorder().listener(), account)]
)
def test_an_unknown_job_is_an_error_with_advice(call: Any) -> None:
    with pytest.raises(DeploymentError, match="There is no job ghost: `lesion jobs list`"):
        call("ghost", ACCOUNT)


@pytest.mark.parametrize(
    ("fields", "advice"),
    [
        ({"status": "Failed", "failure": "CapacityError: Unable to provision"}, "no free instances of this type"),
        ({"status": "Stopped", "secondary": "MaxWaitTimeExceeded"}, "wait longer, or pay for --on-demand"),
        (
            {"status": "Stopped", "secondary": "MaxRuntimeExceeded", "checkpoints_uri": "s3://data/c/"},
            "limit was reached. Its checkpoint is kept: `lesion retrain --resume a-job` continues from it.",
        ),
        ({"status": "Completed", "checkpoints_uri": "s3://data/c/"}, ""),
    ],
)
def test_a_job_that_did_not_complete_has_advice(fields: dict[str, Any], advice: str) -> None:
    given = state(**fields).advice
    assert advice in given if advice else given == ""


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("ExpiredTokenException", "credentials have expired. Sign in again"),
        ("AccessDeniedException", r"AWS denies it \(not you\)"),
    ],
)
def test_expired_credentials_are_not_taken_for_the_end_of_a_job(code: str, sentence: str) -> None:
    with Stubber(ACCOUNT.client("sagemaker")) as stub:  # moto refuses no credentials
        stub.add_client_error("describe_training_job", code, "not you.", 400)
        with pytest.raises(DeploymentError, match=rf"Looking for the job a-job failed: .*{sentence}"):
            follow("a-job", Recorder().listener(), ACCOUNT)


def test_a_temporary_error_is_not_taken_for_the_end_of_a_job() -> None:
    put_job(BUCKET, "busy", "work")
    job = {"TrainingJobName": "busy", "CreationTime": datetime.now(UTC), "SecondaryStatus": "Training"}
    job |= {
        "TrainingJobArn": "arn:aws:sagemaker:us-east-1:123456789012:training-job/busy",
        "AlgorithmSpecification": {"TrainingInputMode": "File"},
        "ResourceConfig": {"VolumeSizeInGB": 1},
        "StoppingCondition": {},
        "ModelArtifacts": {"S3ModelArtifacts": ""},
    }
    recorder = Recorder()
    with Stubber(ACCOUNT.client("sagemaker")) as stub:
        stub.add_response("describe_training_job", {**job, "TrainingJobStatus": "InProgress"})
        stub.add_client_error("describe_training_job", "ThrottlingException", "slowly", 400)
        for _ in range(2):
            stub.add_response("describe_training_job", {**job, "TrainingJobStatus": "Completed"})
        ended = follow("busy", recorder.listener(), ACCOUNT, poll_s=0.01)
    assert ended.status == "Completed"
    assert recorder.connection[-1] == "the connection is back"
