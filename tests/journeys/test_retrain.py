"""From pictures in S3 to a registered model: the commands of an engineer, on the local stack."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from local.stack import LocalStack, Ports
from operations.account import open_stack
from operations.deployment import Deployment, parameter_of

SMALLEST = ["--size", "32", "--weights", "none", "--head-epochs", "1", "--fine-tune-epochs", "0", "--batch-size", "8",
            "--augment", "none"]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the AWS of a running local stack."""
    folder = tmp_path_factory.mktemp("engineer")
    with (
        LocalStack(folder / ".local", ports=Ports(page=0, api=0, aws=0)) as stack,
        pytest.MonkeyPatch.context() as patch,
    ):
        stack.start_aws()
        for name, value in stack.aws_environment.items():
            patch.setenv(name, value)
        yield folder


def lesion(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = Path(sys.executable).with_name("lesion")
    env = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "HAM10000"))}
    return subprocess.run([command, *words], cwd=folder, env=env, capture_output=True, text=True, timeout=600)


def test_the_local_stack_has_the_same_description_as_a_deployed_one(folder: Path) -> None:
    text = boto3.client("ssm").get_parameter(Name=parameter_of("local"))["Parameter"]["Value"]
    assert json.loads(text).keys() <= Deployment.model_fields.keys()
    deployment = open_stack("local").deployment  # refuses a description that lacks a key
    buckets = {bucket["Name"] for bucket in boto3.client("s3").list_buckets()["Buckets"]}
    assert {deployment.models_bucket, deployment.data_bucket} <= buckets


def test_uploaded_pictures_become_a_registered_model(folder: Path, synthetic_dir: Path) -> None:
    uploaded = lesion(folder, "data", "upload", str(synthetic_dir))
    assert (uploaded.returncode, "are uploaded to s3://skin-lesion-data/ham10000/" in uploaded.stdout) == (0, True)

    done = lesion(folder, "retrain", *SMALLEST, "--name", "one", "--wait", "--json")
    assert done.returncode == 0, done.stderr
    state = json.loads(done.stdout)
    assert (state["status"], state["hyperparameters"]["size"]) == ("Completed", "32")
    assert 0 <= state["metrics"]["held-out:balanced_accuracy"] <= 1
    assert "[Training] Training is in progress" in done.stderr

    group = open_stack("local").deployment.model_package_group
    (package,) = boto3.client("sagemaker").list_model_packages(ModelPackageGroupName=group)["ModelPackageSummaryList"]
    log = lesion(folder, "jobs", "logs", "one").stdout
    assert f"registered {package['ModelPackageArn']}" in log
    shown = lesion(folder, "jobs", "show", "one")
    assert "status     Completed" in shown.stdout
