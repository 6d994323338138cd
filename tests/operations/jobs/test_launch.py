"""From a plan to SageMaker: what it is asked, and that a refusal leaves no job behind."""

import io
import socket
import tarfile
import uuid
from pathlib import Path
from typing import Any

import boto3
import pytest

from contract.errors import DeploymentError
from operations.deployment import Deployment
from operations.jobs.launch import find_data, launch, pinned_image
from operations.jobs.plan import ENTRYPOINT, Data, Plan, Wishes, make_plan
from operations.jobs.source import Source, bundle_source
from operations.upload import upload
from tests.operations.test_deployment import TOLD
from tests.refusing_aws import refusing_aws
from training.data.layout import METADATA

REGION = "us-east-1"


@pytest.fixture
def deployment(bucket: str) -> Deployment:
    return Deployment(**{**TOLD, "region": REGION, "data_bucket": bucket})


@pytest.fixture(scope="module")
def source() -> Source:
    return bundle_source()


@pytest.fixture
def stored(few_pictures: Path, bucket: str) -> str:
    upload(few_pictures, f"s3://{bucket}/ham10000", REGION)
    return bucket


def plan(deployment: Deployment, source: Source, **wishes: Any) -> Plan:
    data = Data(uri="s3://d/h/", images_uri="s3://d/h/images/", images=1, image_bytes=1)
    named = {"name": f"job-{uuid.uuid4().hex[:12]}", **wishes}
    return make_plan(Wishes(**named), deployment, data=data, image="image", source=source)


def jobs_named(name: str, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.delenv("AWS_ENDPOINT_URL_SAGEMAKER", raising=False)
    listed = boto3.client("sagemaker").list_training_jobs(NameContains=name)
    return len(listed["TrainingJobSummaries"])


def test_sagemaker_is_asked_for_all_that_was_planned(
    deployment: Deployment, source: Source, tmp_path: Path, bucket: str
) -> None:
    weights = tmp_path / "w.npz"
    weights.write_bytes(b"weights")
    made = plan(
        deployment.model_copy(update={"tags": {"project": "lesions"}}),
        source,
        weights=weights,
        config={"size": 64},
        kms_key="arn:aws:kms:us-east-1:123456789012:key/k",
        subnets=("subnet-1",),
        security_groups=("sg-1",),
    )
    assert launch(made, source) == made.name

    asked = boto3.client("sagemaker").describe_training_job(TrainingJobName=made.name)
    uris = {
        channel["ChannelName"]: channel["DataSource"]["S3DataSource"]["S3Uri"] for channel in asked["InputDataConfig"]
    }
    assert uris == {
        "code": f"{made.job_uri}/source/",
        "metadata": f"s3://d/h/{METADATA}",
        "images": "s3://d/h/images/",
        "weights": f"{made.job_uri}/weights/",
    }
    assert asked["AlgorithmSpecification"]["ContainerEntrypoint"] == list(ENTRYPOINT)
    assert asked["HyperParameters"]["size"] == "64"
    assert asked["EnableManagedSpotTraining"] is True
    assert asked["CheckpointConfig"] == {"S3Uri": made.checkpoints_uri}
    assert asked["StoppingCondition"] == {"MaxRuntimeInSeconds": 14400, "MaxWaitTimeInSeconds": 28800}
    assert asked["VpcConfig"] == {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
    assert asked["OutputDataConfig"] == {"S3OutputPath": f"s3://{bucket}/jobs", "KmsKeyId": made.kms_key}
    assert asked["ResourceConfig"]["VolumeKmsKeyId"] == made.kms_key
    assert boto3.client("sagemaker").list_tags(ResourceArn=asked["TrainingJobArn"])["Tags"] == [
        {"Key": "project", "Value": "lesions"}
    ]
    stored = boto3.client("s3").get_object(Bucket=bucket, Key=f"jobs/{made.name}/source/source.tar.gz")
    assert stored["ServerSideEncryption"] == "aws:kms"
    with tarfile.open(fileobj=io.BytesIO(stored["Body"].read())) as tar:
        assert "operations/jobs/entry.py" in tar.getnames()


def test_on_demand_and_without_a_vpc_nothing_of_either_is_asked_for(deployment: Deployment, source: Source) -> None:
    made = plan(deployment, source, spot=False, checkpoints=False)
    launch(made, source)
    asked = boto3.client("sagemaker").describe_training_job(TrainingJobName=made.name)
    assert asked["StoppingCondition"] == {"MaxRuntimeInSeconds": 14400}
    assert not {"VpcConfig", "CheckpointConfig"} & asked.keys()


def test_the_image_is_pinned_and_fits_the_instance() -> None:
    assert pinned_image(REGION, "ml.g5.xlarge").endswith("/tensorflow-training:2.21.0-gpu-py312")
    assert pinned_image("eu-central-1", "ml.m5.xlarge").endswith(
        ".eu-central-1.amazonaws.com/tensorflow-training:2.21.0-cpu-py312"
    )
    with pytest.raises(DeploymentError, match=r"no image of TensorFlow 2\.21\.0 for ml\.g5\.xlarge in mars-north-1"):
        pinned_image("mars-north-1", "ml.g5.xlarge")


def test_the_pictures_in_s3_are_counted(stored: str, deployment: Deployment, few_pictures: Path) -> None:
    found = find_data(Wishes(), deployment)
    pictures = list((few_pictures / "images").iterdir())
    assert found.uri == f"s3://{stored}/ham10000/"
    assert (found.images, found.image_bytes) == (len(pictures), sum(path.stat().st_size for path in pictures))


def test_the_two_published_folders_are_found_too(bucket: str, deployment: Deployment) -> None:
    for key in (METADATA, "HAM10000_images_part_1/a.jpg", "HAM10000_images_part_2/b.jpg"):
        boto3.client("s3").put_object(Bucket=bucket, Key=f"published/{key}", Body=b"x")
    found = find_data(Wishes(data_uri=f"s3://{bucket}/published"), deployment)
    assert (found.images, found.images_uri) == (2, f"s3://{bucket}/published/HAM10000_images_part_")


def test_data_without_a_table_is_refused(stored: str, deployment: Deployment) -> None:
    with pytest.raises(DeploymentError, match=rf"There is no {METADATA} in s3://{stored}/ham10000/images/"):
        find_data(Wishes(data_uri=f"s3://{stored}/ham10000/images"), deployment)


def test_a_table_without_pictures_is_refused(bucket: str, deployment: Deployment) -> None:
    boto3.client("s3").put_object(Bucket=bucket, Key=f"bare/{METADATA}", Body=b"x")
    with pytest.raises(DeploymentError, match=rf"no pictures in s3://{bucket}/bare/images/"):
        find_data(Wishes(data_uri=f"s3://{bucket}/bare"), deployment)


def test_a_bucket_that_is_not_there_is_told(deployment: Deployment) -> None:
    with pytest.raises(DeploymentError, match="There is no bucket no-such-bucket: create it, or name another"):
        find_data(Wishes(data_uri="s3://no-such-bucket/x"), deployment)


def test_a_bucket_of_another_region_is_told(stored: str, deployment: Deployment) -> None:
    elsewhere = f"elsewhere-{uuid.uuid4().hex}"
    boto3.client("s3", region_name="eu-west-1").create_bucket(
        Bucket=elsewhere, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    for wishes in (Wishes(data_uri=f"s3://{elsewhere}/x"), Wishes(output_uri=f"s3://{elsewhere}/jobs")):
        with pytest.raises(DeploymentError, match=rf"{elsewhere} is in eu-west-1, and jobs of this stack run in us-"):
            find_data(wishes, deployment)


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
def test_what_sagemaker_refuses_is_a_sentence_and_no_job(
    code: str, message: str, sentence: str, deployment: Deployment, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = plan(deployment, source)
    with refusing_aws(code, message) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER", url)
        with pytest.raises(DeploymentError, match=rf"Starting the job {made.name} failed: .*{sentence}"):
            launch(made, source)
    assert jobs_named(made.name, monkeypatch) == 0


def test_an_upload_that_breaks_off_starts_no_job(
    deployment: Deployment, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = plan(deployment, source)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{silent.getsockname()[1]}")
        silent.close()
        with pytest.raises(DeploymentError, match=r"Uploading the source to s3://.* failed: .*cannot be reached"):
            launch(made, source)
    assert jobs_named(made.name, monkeypatch) == 0


def test_an_answer_that_is_lost_leaves_no_doubt_what_to_do(
    deployment: Deployment, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = plan(deployment, source)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER", "http://127.0.0.1:1")
    with pytest.raises(DeploymentError, match=rf"`lesion jobs show {made.name}` tells whether it was started"):
        launch(made, source)
