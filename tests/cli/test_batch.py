"""`lesion batch` starts a run with an input that the function can read."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from contract.batch import Batch, BatchRun
from operations.deployment import parameter_of
from tests.loopback_aws import loopback_aws
from tests.operations.test_deployment import VALUES

# As infra defines it. What matters here: the input of the run is part of each batch, unchanged.
DEFINITION = {
    "StartAt": "Pictures",
    "States": {
        "Pictures": {
            "Type": "Map",
            "ItemReader": {
                "Resource": "arn:aws:states:::s3:listObjectsV2",
                "Parameters": {"Bucket.$": "$.source.bucket", "Prefix.$": "$.source.prefix"},
            },
            "ItemBatcher": {"MaxItemsPerBatch": 50, "BatchInput.$": "$"},
            "ItemProcessor": {
                "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                "StartAt": "Classify",
                "States": {
                    "Classify": {
                        "Type": "Task",
                        "Resource": "arn:aws:lambda:us-east-1:000000000000:function:classify",
                        "End": True,
                    }
                },
            },
            "End": True,
        }
    },
}


@pytest.fixture(scope="module")
def aws() -> Iterator[dict[str, str]]:
    """The environment of an AWS on this machine."""
    with loopback_aws() as url:
        yield {"AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


@pytest.fixture
def steps(aws: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Any:
    for name, value in aws.items():
        monkeypatch.setenv(name, value)
    return boto3.client("stepfunctions", region_name="us-east-1")


@pytest.fixture
def state_machine(steps: Any) -> str:
    role = "arn:aws:iam::123456789012:role/batch"
    made = steps.create_state_machine(name="batch", definition=json.dumps(DEFINITION), roleArn=role)
    return str(made["stateMachineArn"])


def batch(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("lesion")), "batch", *words]
    return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=60)


def test_a_run_is_started_with_the_input_of_every_batch(steps: Any, state_machine: str) -> None:
    words = ["s3://pictures/2026/", "s3://answers", "--name", "spring"]
    done = batch(*words, "--state-machine", state_machine, "--json")
    assert done.returncode == 0, done.stderr
    started = json.loads(done.stdout)
    assert started["results"] == "s3://answers/spring/"
    execution = steps.describe_execution(executionArn=started["execution_arn"])
    run = BatchRun.model_validate_json(execution["input"])
    assert (run.source.bucket, run.source.prefix) == ("pictures", "2026/")
    batch_event = Batch.model_validate(
        {"BatchInput": json.loads(execution["input"]), "Items": [{"Key": "2026/a.jpg", "Size": 3}]}
    )
    assert batch_event.run == run


@pytest.mark.parametrize(
    ("words", "status", "sentence"),
    [
        (["pictures", "s3://answers"], 2, "pictures is not an S3 URI"),
        (["s3://pictures", "https://answers"], 2, "https://answers is not an S3 URI"),
        (["s3://pictures", "s3://A"], 2, "s3://A is not an S3 URI"),
        (["s3://pictures", "s3://answers"], 1, "Starting the run failed"),
    ],
)
def test_a_run_that_cannot_be_started_is_one_sentence(
    aws: dict[str, str], words: list[str], status: int, sentence: str
) -> None:
    arn = "arn:aws:states:us-east-1:123456789012:stateMachine:absent"
    done = batch(*words, "--state-machine", arn, **aws)
    assert (done.returncode, sentence in done.stderr) == (status, True), done.stderr
    assert "Traceback" not in done.stderr


def test_the_state_machine_comes_from_the_stack(steps: Any, state_machine: str) -> None:
    values = {**VALUES, "region": "us-east-1"}
    ssm = boto3.client("ssm", region_name="us-east-1")
    for stack, machine in (("complete", state_machine), ("bare", None)):
        value = json.dumps({**values, "batches_state_machine_arn": machine})
        ssm.put_parameter(Name=parameter_of(stack), Value=value, Type="String")
    words = ["s3://pictures/2026/", "s3://answers", "--region", "us-east-1"]
    done = batch(*words, "--stack", "complete")
    assert (done.returncode, "Started arn:aws:states:us-east-1" in done.stdout) == (0, True), done.stderr
    done = batch(*words, "--stack", "bare")
    assert (done.returncode, "The stack bare has no state machine" in done.stderr) == (1, True), done.stderr


def test_an_arn_of_another_resource_is_refused(aws: dict[str, str]) -> None:
    done = batch("s3://pictures", "s3://answers", "--state-machine", "arn:aws:lambda:x", **aws)
    assert (done.returncode, "not the ARN of a state machine" in done.stderr) == (2, True), done.stderr
