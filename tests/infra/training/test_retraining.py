"""Retraining: the state machine repeats the job of the newest model, with its own checkpoints."""

import json
import re
import uuid
from typing import Any

from jsonata import Jsonata  # type: ignore[import-untyped]

from infra.training.retraining import retraining_state_machine
from tests.infra.stacks import ACCOUNT, Program

GROUP = f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:model-package-group/lesion-dev"
OLD_JOB = {
    "TrainingJobName": "lesion-20260101",
    "TrainingJobArn": "arn:old",
    "TrainingJobStatus": "Completed",
    "ModelArtifacts": {"S3ModelArtifacts": "s3://data/jobs/old/model.tar.gz"},
    "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
    "RoleArn": "arn:aws:iam::123456789012:role/training",
    "HyperParameters": {"epochs": "10"},
    "InputDataConfig": [{"ChannelName": "images"}],
    "OutputDataConfig": {"S3OutputPath": "s3://data/jobs/"},
    "ResourceConfig": {"InstanceType": "ml.g5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 50},
    "StoppingCondition": {"MaxRuntimeInSeconds": 7200, "MaxWaitTimeInSeconds": 14_400},
    "EnableManagedSpotTraining": True,
    "CheckpointConfig": {"S3Uri": "s3://data/jobs/lesion-20260101/checkpoints/"},
    "BillableTimeInSeconds": 3000,
}
NOT_TAKEN_OVER = {"TrainingJobArn", "TrainingJobStatus", "ModelArtifacts", "BillableTimeInSeconds"}


def evaluated(expression: Any, state_input: dict[str, Any]) -> Any:
    """Evaluate as Step Functions does: its variables, and the functions that it adds to JSONata."""
    if isinstance(expression, dict):
        return {key: evaluated(value, state_input) for key, value in expression.items()}
    if not (isinstance(expression, str) and expression.startswith("{%")):
        return expression
    frame = (jsonata := Jsonata(expression.removeprefix("{%").removesuffix("%}"))).create_frame()
    frame.bind("states", {"input": state_input})
    jsonata.register_lambda("uuid", lambda: str(uuid.uuid4()))
    return jsonata.evaluate(None, frame)


def states() -> dict[str, Any]:
    return dict(retraining_state_machine(GROUP, "data", {"Stack": "dev", "Project": "lesions"})["States"])


def test_the_new_job_copies_the_old_one_with_its_own_name_and_checkpoints() -> None:
    job = evaluated(states()["TrainAnew"]["Arguments"], OLD_JOB)
    name = job["TrainingJobName"]
    assert re.fullmatch(r"again-\d{8}T\d{6}-[0-9a-f]{8}", name)
    assert re.fullmatch(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}", name)  # SageMaker's own rule
    assert job["CheckpointConfig"] == {"S3Uri": f"s3://data/jobs/{name}/checkpoints/"}
    assert job["Tags"] == [{"Key": "Stack", "Value": "dev"}, {"Key": "Project", "Value": "lesions"}]
    own = {"TrainingJobName", "CheckpointConfig"}
    assert {k: v for k, v in job.items() if k not in own | {"Tags"}} == {
        k: v for k, v in OLD_JOB.items() if k not in own | NOT_TAKEN_OVER
    }


def test_a_job_without_checkpoints_is_repeated_without_checkpoints() -> None:
    job = evaluated(states()["TrainAnew"]["Arguments"], {k: v for k, v in OLD_JOB.items() if k != "CheckpointConfig"})
    assert "CheckpointConfig" not in job


def test_sagemakers_own_model_accepts_the_calls() -> None:
    """Every member of the call, and of each structure in it, is one that SageMaker's own model knows."""
    import boto3
    from botocore.validate import ParamValidator

    model = boto3.client("sagemaker", region_name="us-east-1").meta.service_model
    job = evaluated(states()["TrainAnew"]["Arguments"], OLD_JOB)
    job["InputDataConfig"] = [{"ChannelName": "images", "DataSource": {}}]
    job = json.loads(json.dumps(job))
    report = ParamValidator().validate(job, model.operation_model("CreateTrainingJob").input_shape).generate_report()
    assert report == ""
    newest = evaluated(states()["NewestPackage"]["Arguments"], {})
    report = ParamValidator().validate(newest, model.operation_model("ListModelPackages").input_shape).generate_report()
    assert report == ""


def test_retraining_finds_the_job_of_the_newest_model_or_fails_with_a_sentence() -> None:
    found = {"ModelPackageSummaryList": [{"ModelPackageArn": "arn:newest"}]}
    choice = states()["IsThereOne"]
    assert evaluated(choice["Choices"][0]["Condition"], found) is True
    assert evaluated(choice["Choices"][0]["Condition"], {"ModelPackageSummaryList": []}) is False
    assert "lesion retrain" in states()[choice["Default"]]["Cause"]
    assert evaluated(states()["ItsLineage"]["Arguments"], found) == {"ModelPackageName": "arn:newest"}
    described = {"MetadataProperties": {"GeneratedBy": "lesion-20260101"}}
    assert evaluated(states()["ItsJob"]["Arguments"], described) == {"TrainingJobName": "lesion-20260101"}


def test_every_state_has_a_next_state_or_is_an_end() -> None:
    for state in states().values():
        following = {state.get("Next"), state.get("Default"), *(c["Next"] for c in state.get("Choices", []))} - {None}
        assert following <= set(states())
        assert following or state.get("End") or state["Type"] == "Fail"


def test_only_a_configured_schedule_or_the_drift_alarm_starts_retraining(dev: Program, prod: Program) -> None:
    assert dev.of("scheduler/schedule:Schedule") == []
    assert [r.name for r in dev.of("cloudwatch/eventRule:EventRule")] == ["lesion-dev-failed"]
    schedule = prod.one("scheduler/schedule:Schedule").inputs
    assert schedule["scheduleExpression"] == "cron(0 3 1 * ? *)"
    assert schedule["target"]["arn"] == "arn:aws:sfn:lesion-prod-again"
    drifted = prod.one("cloudwatch/eventRule:EventRule", "lesion-prod-again-start").json("eventPattern")
    assert drifted["resources"] == ["arn:aws:cloudwatch:lesion-prod-drift"]
    assert drifted["detail"] == {"state": {"value": ["ALARM"]}}
