"""A planned job is created at SageMaker; after a refusal there is no job."""

import dataclasses
import io
import socket
import tarfile
import uuid
from pathlib import Path
from typing import Any

import boto3
import pytest

from contract.errors import DeploymentError
from operations.account import Stack
from operations.deployment import Deployment
from operations.jobs.launch import launch, pinned_image
from operations.jobs.plan import ENTRYPOINT, Plan, make_plan
from operations.jobs.request import JobRequest
from operations.jobs.source import Source, bundle_source
from operations.jobs.training_data import TrainingData, find_training_data
from operations.upload import upload
from tests.operations.test_deployment import VALUES
from tests.refusing_aws import refusing_aws
from training.data.ham10000 import read_dataset
from training.data.layout import METADATA

REGION = "us-east-1"


@pytest.fixture
def stack(bucket: str) -> Stack:
    deployment = Deployment.model_validate({**VALUES, "region": REGION, "data_bucket": bucket})
    return Stack(name="test", region=REGION, deployment=deployment)


@pytest.fixture(scope="module")
def source() -> Source:
    return bundle_source()


@pytest.fixture
def stored(few_pictures: Path, bucket: str, stack: Stack) -> str:
    upload(read_dataset(few_pictures), f"s3://{bucket}/ham10000", stack)
    return bucket


def plan(stack: Stack, source: Source, **options: Any) -> Plan:
    data = TrainingData(uri="s3://d/h/", images_uri="s3://d/h/images/", images=1, image_bytes=1)
    request = JobRequest(**{"name": f"job-{uuid.uuid4().hex[:12]}", **options})
    return make_plan(request, stack.deployment, data=data, image="image", source=source)


def jobs_named(name: str, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.delenv("AWS_ENDPOINT_URL_SAGEMAKER", raising=False)
    listed = boto3.client("sagemaker").list_training_jobs(NameContains=name)
    return len(listed["TrainingJobSummaries"])


def test_sagemaker_gets_everything_in_the_plan(stack: Stack, source: Source, tmp_path: Path, bucket: str) -> None:
    weights = tmp_path / "w.npz"
    weights.write_bytes(b"weights")
    made = plan(
        dataclasses.replace(stack, deployment=stack.deployment.model_copy(update={"tags": {"project": "lesions"}})),
        source,
        weights=weights,
        config={"size": 64},
        kms_key="arn:aws:kms:us-east-1:123456789012:key/k",
        subnets=("subnet-1",),
        security_groups=("sg-1",),
    )
    assert launch(made, source, stack) == made.name

    job = boto3.client("sagemaker").describe_training_job(TrainingJobName=made.name)
    uris = {
        channel["ChannelName"]: channel["DataSource"]["S3DataSource"]["S3Uri"] for channel in job["InputDataConfig"]
    }
    assert uris == {
        "code": f"{made.job_uri}/source/",
        "metadata": f"s3://d/h/{METADATA}",
        "images": "s3://d/h/images/",
        "weights": f"{made.job_uri}/weights/",
    }
    assert job["AlgorithmSpecification"]["ContainerEntrypoint"] == list(ENTRYPOINT)
    assert job["HyperParameters"]["size"] == "64"
    assert job["EnableManagedSpotTraining"] is True
    assert job["CheckpointConfig"] == {"S3Uri": made.checkpoints_uri}
    assert job["StoppingCondition"] == {"MaxRuntimeInSeconds": 14400, "MaxWaitTimeInSeconds": 28800}
    assert job["VpcConfig"] == {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
    assert job["OutputDataConfig"] == {"S3OutputPath": f"s3://{bucket}/jobs", "KmsKeyId": made.kms_key}
    assert job["ResourceConfig"]["VolumeKmsKeyId"] == made.kms_key
    assert boto3.client("sagemaker").list_tags(ResourceArn=job["TrainingJobArn"])["Tags"] == [
        {"Key": "project", "Value": "lesions"}
    ]
    stored = boto3.client("s3").get_object(Bucket=bucket, Key=f"jobs/{made.name}/source/source.tar.gz")
    assert stored["ServerSideEncryption"] == "aws:kms"
    with tarfile.open(fileobj=io.BytesIO(stored["Body"].read())) as tar:
        assert "operations/container/entry.py" in tar.getnames()


def test_options_that_a_job_does_not_need_are_left_out(stack: Stack, source: Source) -> None:
    made = plan(stack, source, spot=False, checkpoints=False)
    launch(made, source, stack)
    job = boto3.client("sagemaker").describe_training_job(TrainingJobName=made.name)
    assert job["StoppingCondition"] == {"MaxRuntimeInSeconds": 14400}
    assert not {"VpcConfig", "CheckpointConfig"} & job.keys()


def test_the_image_has_a_fixed_version_and_fits_the_instance() -> None:
    assert pinned_image(REGION, "ml.g5.xlarge").endswith("/tensorflow-training:2.21.0-gpu-py312")
    assert pinned_image("eu-central-1", "ml.m5.xlarge").endswith(
        ".eu-central-1.amazonaws.com/tensorflow-training:2.21.0-cpu-py312"
    )
    with pytest.raises(DeploymentError, match=r"no image of TensorFlow 2\.21\.0 for ml\.g5\.xlarge in mars-north-1"):
        pinned_image("mars-north-1", "ml.g5.xlarge")


def test_the_pictures_in_s3_are_counted(stored: str, stack: Stack, few_pictures: Path) -> None:
    found = find_training_data(JobRequest(), stack)
    pictures = list((few_pictures / "images").iterdir())
    assert found.uri == f"s3://{stored}/ham10000/"
    assert (found.images, found.image_bytes) == (len(pictures), sum(path.stat().st_size for path in pictures))


def test_the_two_published_folders_are_found_too(bucket: str, stack: Stack) -> None:
    for key in (METADATA, "HAM10000_images_part_1/a.jpg", "HAM10000_images_part_2/b.jpg"):
        boto3.client("s3").put_object(Bucket=bucket, Key=f"published/{key}", Body=b"x")
    found = find_training_data(JobRequest(data_uri=f"s3://{bucket}/published"), stack)
    assert (found.images, found.images_uri) == (2, f"s3://{bucket}/published/HAM10000_images_part_")


def test_data_without_a_table_is_refused(stored: str, stack: Stack) -> None:
    with pytest.raises(DeploymentError, match=rf"There is no {METADATA} in s3://{stored}/ham10000/images/"):
        find_training_data(JobRequest(data_uri=f"s3://{stored}/ham10000/images"), stack)


def test_a_table_without_pictures_is_refused(bucket: str, stack: Stack) -> None:
    boto3.client("s3").put_object(Bucket=bucket, Key=f"bare/{METADATA}", Body=b"x")
    with pytest.raises(DeploymentError, match=rf"no pictures in s3://{bucket}/bare/images/"):
        find_training_data(JobRequest(data_uri=f"s3://{bucket}/bare"), stack)


def test_a_missing_bucket_is_named(stack: Stack) -> None:
    with pytest.raises(DeploymentError, match="There is no bucket no-such-bucket: create it, or name another"):
        find_training_data(JobRequest(data_uri="s3://no-such-bucket/x"), stack)


def test_a_bucket_in_another_region_is_refused(stored: str, stack: Stack) -> None:
    elsewhere = f"elsewhere-{uuid.uuid4().hex}"
    boto3.client("s3", region_name="eu-west-1").create_bucket(
        Bucket=elsewhere, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    for request in (JobRequest(data_uri=f"s3://{elsewhere}/x"), JobRequest(output_uri=f"s3://{elsewhere}/jobs")):
        with pytest.raises(
            DeploymentError, match=rf"{elsewhere} is in eu-west-1, and the jobs of this stack run in us-"
        ):
            find_training_data(request, stack)


@pytest.mark.parametrize(
    ("code", "message", "sentence"),
    [
        (
            "ResourceLimitExceeded",
            "The account-level service limit 'ml.g5.xlarge for spot training job usage' is 0 Instances.",
            r"a quota of the account is used up \(The account-level .*Service Quotas",
        ),
        ("AccessDeniedException", "not authorized to perform: iam:PassRole", "AWS denies it .*iam:PassRole"),
        ("ExpiredTokenException", "expired", "credentials have expired"),
        ("ResourceInUse", "Training job names must be unique", "must be unique"),
    ],
)
def test_a_refusal_of_sagemaker_is_an_error_and_there_is_no_job(
    code: str, message: str, sentence: str, stack: Stack, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = plan(stack, source)
    with refusing_aws(code, message) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER", url)
        with pytest.raises(DeploymentError, match=rf"Starting the job {made.name} failed: .*{sentence}"):
            launch(made, source, stack)
    assert jobs_named(made.name, monkeypatch) == 0


def test_an_interrupted_upload_starts_no_job(stack: Stack, source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    made = plan(stack, source)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{silent.getsockname()[1]}")
        silent.close()
        with pytest.raises(DeploymentError, match=r"Uploading the source to s3://.* failed: .*cannot be reached"):
            launch(made, source, stack)
    assert jobs_named(made.name, monkeypatch) == 0


def test_a_lost_response_is_an_error_with_advice(stack: Stack, source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    made = plan(stack, source)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER", "http://127.0.0.1:1")
    with pytest.raises(DeploymentError, match=rf"`lesion jobs show {made.name}` shows whether it was started"):
        launch(made, source, stack)
