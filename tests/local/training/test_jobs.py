"""Training jobs of the local stack have SageMaker's folders, statuses, log, output and errors."""

import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from contract.s3_uri import S3Uri
from tests.local_aws import LocalAws, local_aws, put_job

BUCKET = "data"


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    with local_aws(tmp_path_factory.mktemp("jobs")) as running, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", running.url)
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        boto3.client("s3").create_bucket(Bucket=BUCKET)
        yield running


def describe(name: str) -> dict[str, Any]:
    return dict(boto3.client("sagemaker").describe_training_job(TrainingJobName=name))


def read_log(name: str) -> list[str]:
    logs = boto3.client("logs")
    group = "/aws/sagemaker/TrainingJobs"
    streams = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{name}/")["logStreams"]
    pages = [logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"]) for stream in streams]
    return [event["message"] for page in pages for event in page["events"]]


def wait_for(name: str, *statuses: str, log: str = "") -> dict[str, Any]:
    """Wait until a job has one of the statuses, and its log has the line `log`."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        job = describe(name)
        if job["TrainingJobStatus"] in statuses and (not log or log in read_log(name)):
            return job
        time.sleep(0.05)
    raise AssertionError(describe(name))


def test_a_job_has_the_folders_of_sagemaker_and_its_output_is_uploaded_to_s3(local: LocalAws, tmp_path: Path) -> None:
    put_job(BUCKET, "complete", "work")
    ended = wait_for("complete", "Completed")
    assert read_log("complete")[:2] == ["job complete", "channels code/source.tar.gz images/a.jpg metadata/table.csv"]
    assert [step["Status"] for step in ended["SecondaryStatusTransitions"]] == [
        "Pending", "Downloading", "Training", "Uploading", "Completed",
    ]  # fmt: skip
    assert [(metric["MetricName"], metric["Value"]) for metric in ended["FinalMetricDataList"]] == [("loss", 0.25)]
    assert ended["TrainingEndTime"] >= ended["TrainingStartTime"]
    bucket, key = S3Uri.parse(ended["ModelArtifacts"]["S3ModelArtifacts"])
    boto3.client("s3").download_file(bucket, key, str(tmp_path / "model.tar.gz"))
    with tarfile.open(tmp_path / "model.tar.gz") as tar:
        assert "./bundle" in tar.getnames()


def test_the_next_job_resumes_from_the_checkpoint_of_a_stopped_one(local: LocalAws) -> None:
    uri = f"s3://{BUCKET}/kept/"
    put_job(BUCKET, "first", "wait", CheckpointConfig={"S3Uri": uri})
    running = wait_for("first", "InProgress", log="waits")
    assert "ModelArtifacts" not in running
    assert "TrainingEndTime" not in running
    boto3.client("sagemaker").stop_training_job(TrainingJobName="first")
    stopped = wait_for("first", "Stopped")
    assert stopped["SecondaryStatus"] == "Stopped"
    put_job(BUCKET, "second", "work", CheckpointConfig={"S3Uri": uri})
    wait_for("second", "Completed")
    assert "goes on from step 7" in read_log("second")


def test_a_job_above_its_time_limit_is_stopped(local: LocalAws) -> None:
    put_job(BUCKET, "long", "wait", StoppingCondition={"MaxRuntimeInSeconds": 1})
    assert wait_for("long", "Stopped")["SecondaryStatus"] == "MaxRuntimeExceeded"


def test_the_reason_of_a_failed_job_is_its_failure_file(local: LocalAws) -> None:
    put_job(BUCKET, "broken", "fail")
    failed = wait_for("broken", "Failed")
    assert failed["FailureReason"] == "AlgorithmError: The loss stopped being a number., exit code: 1"
    assert "ModelArtifacts" not in failed


def test_a_job_for_several_instances_fails_with_a_reason(local: LocalAws) -> None:
    resources = {"InstanceType": "ml.g5.xlarge", "InstanceCount": 2, "VolumeSizeInGB": 10}
    put_job(BUCKET, "two", "work", ResourceConfig=resources)
    assert "has one instance, and the job asks for 2" in wait_for("two", "Failed")["FailureReason"]


def test_jobs_are_filtered_sorted_and_paginated(local: LocalAws) -> None:
    put_job(BUCKET, "listed-1", "fail")
    put_job(BUCKET, "listed-2", "work")
    wait_for("listed-1", "Failed")
    wait_for("listed-2", "Completed")
    asked = {"NameContains": "listed", "SortBy": "CreationTime", "SortOrder": "Descending"}
    sagemaker = boto3.client("sagemaker")
    listed = sagemaker.list_training_jobs(**asked)["TrainingJobSummaries"]
    assert [(job["TrainingJobName"], job["TrainingJobStatus"]) for job in listed] == [
        ("listed-2", "Completed"),
        ("listed-1", "Failed"),
    ]
    page = sagemaker.list_training_jobs(**asked, MaxResults=1)
    assert [job["TrainingJobName"] for job in page["TrainingJobSummaries"]] == ["listed-2"]
    rest = sagemaker.list_training_jobs(**asked, MaxResults=1, NextToken=page["NextToken"])
    assert ([job["TrainingJobName"] for job in rest["TrainingJobSummaries"]], "NextToken" in rest) == (
        ["listed-1"],
        False,
    )
    failed = sagemaker.list_training_jobs(**asked, StatusEquals="Failed")["TrainingJobSummaries"]
    assert [job["TrainingJobName"] for job in failed] == ["listed-1"]


def test_invalid_requests_get_the_errors_of_sagemaker(local: LocalAws) -> None:
    sagemaker = boto3.client("sagemaker")
    for ask in (sagemaker.describe_training_job, sagemaker.stop_training_job):
        with pytest.raises(ClientError, match=r"ValidationException.*not found"):
            ask(TrainingJobName="no-such-job")
    put_job(BUCKET, "once", "work")
    with pytest.raises(ClientError, match="ResourceInUse"):
        put_job(BUCKET, "once", "work")
    wait_for("once", "Completed")
    with pytest.raises(ClientError, match="is in status Completed"):
        sagemaker.stop_training_job(TrainingJobName="once")


def test_moto_handles_other_operations(local: LocalAws) -> None:
    assert BUCKET in {bucket["Name"] for bucket in boto3.client("s3").list_buckets()["Buckets"]}
    assert boto3.client("sagemaker").list_models()["Models"] == []
