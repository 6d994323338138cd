"""Automatic retraining: a state machine repeats the training job of the newest registered model.

A schedule, the drift alarm or a person starts it. The new model is registered and waits for approval like every other
model; nothing here promotes it.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_aws as aws

from infra import iam

# What the new job copies from the old one; sagemaker:CreateTrainingJob has each under the same name.
REPEATED: Final = (
    "AlgorithmSpecification",
    "EnableInterContainerTrafficEncryption",
    "EnableManagedSpotTraining",
    "EnableNetworkIsolation",
    "Environment",
    "HyperParameters",
    "InputDataConfig",
    "OutputDataConfig",
    "ResourceConfig",
    "RoleArn",
    "StoppingCondition",
    "VpcConfig",
)
# JSONata, which Step Functions evaluates. The new job gets its own checkpoint folder: from the old checkpoints it would
# resume a finished training.
NEW_JOB: Final = """{%
(
  $old := $states.input;
  $name := 'again-' & $fromMillis($millis(), '[Y0001][M01][D01]T[H01][m01][s01]') & '-' & $substring($uuid(), 0, 8);
  $merge([
    $sift($old, function($v, $k) { $k in REPEATED }),
    {'TrainingJobName': $name, 'Tags': TAGS},
    $exists($old.CheckpointConfig)
      ? {'CheckpointConfig': {'S3Uri': 's3://BUCKET/jobs/' & $name & '/checkpoints/'}}
      : {}
  ])
)
%}"""


@dataclass(frozen=True, kw_only=True)
class RetrainingArgs:
    """What retraining needs from the rest of the stack."""

    account: str
    region: str
    boundary_arn: pulumi.Input[str]
    group: str  # of model packages
    group_arn: pulumi.Input[str]
    training_role_arn: pulumi.Input[str]
    data_bucket: pulumi.Input[str]
    tags: dict[str, str]
    schedule: str | None
    drift_alarm_arn: pulumi.Input[str] | None


class Retraining(pulumi.ComponentResource):
    """The state machine, and the schedule and the rule that start it.

    Its type is still called TrainingAgain: the type is a part of every URN, and a new one would replace the resources.
    """

    def __init__(self, name: str, args: RetrainingArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("analyzer:training:TrainingAgain", name, None, opts)
        self._name, self._args, self._child_options = name, args, pulumi.ResourceOptions(parent=self)
        role_arn = iam.role(
            name,
            description="Repeats the training job of the newest model",
            trusted=iam.trust("states.amazonaws.com", args.account),
            statements=_retraining_role_statements(args),
            boundary_arn=args.boundary_arn,
            opts=self._child_options,
        )
        machine = aws.sfn.StateMachine(
            name,
            role_arn=role_arn,
            definition=pulumi.Output.all(args.group_arn, args.data_bucket).apply(
                lambda known: json.dumps(retraining_state_machine(known[0], known[1], args.tags))
            ),
            tracing_configuration={"enabled": True},
            opts=self._child_options,
        )
        if args.schedule or args.drift_alarm_arn:
            self._add_triggers(machine.arn)
        self.register_outputs({"state_machine_arn": machine.arn})

    def _add_triggers(self, machine_arn: pulumi.Output[str]) -> None:
        name, args = f"{self._name}-start", self._args
        may_start = [iam.allow("StartExecution", ["states:StartExecution"], [machine_arn])]
        if args.schedule:
            role_arn = self._trigger_role(f"{name}-scheduled", "scheduler.amazonaws.com", may_start)
            aws.scheduler.Schedule(
                name,
                description="Starts retraining",
                schedule_expression=args.schedule,
                flexible_time_window={"mode": "OFF"},
                target={"arn": machine_arn, "role_arn": role_arn},
                opts=self._child_options,
            )
        if args.drift_alarm_arn is not None:
            role_arn = self._trigger_role(f"{name}-drifted", "events.amazonaws.com", may_start)
            pattern = {
                "source": ["aws.cloudwatch"],
                "detail-type": ["CloudWatch Alarm State Change"],
                "resources": [args.drift_alarm_arn],
                "detail": {"state": {"value": ["ALARM"]}},
            }
            rule = aws.cloudwatch.EventRule(
                name,
                description="The drift alarm went off",
                event_pattern=pulumi.Output.json_dumps(pattern),
                opts=self._child_options,
            )
            aws.cloudwatch.EventTarget(
                name, rule=rule.name, arn=machine_arn, role_arn=role_arn, opts=self._child_options
            )

    def _trigger_role(self, name: str, service: str, statements: Sequence[iam.Statement]) -> pulumi.Output[str]:
        return iam.role(
            name,
            description="Starts the state machine of retraining",
            trusted=iam.trust(service, self._args.account),
            statements=statements,
            boundary_arn=self._args.boundary_arn,
            opts=self._child_options,
        )


def retraining_state_machine(group_arn: str, data_bucket: str, tags: dict[str, str]) -> dict[str, Any]:
    """Write the state machine: find the newest model package, find its job, start a new job like it."""
    new_job = (
        NEW_JOB.replace("REPEATED", json.dumps(REPEATED))
        .replace("TAGS", json.dumps([{"Key": key, "Value": value} for key, value in tags.items()]))
        .replace("BUCKET", data_bucket)
    )
    newest = {"ModelPackageGroupName": group_arn, "SortBy": "CreationTime", "SortOrder": "Descending", "MaxResults": 1}
    no_model = "No model is registered yet: train the first with `lesion retrain`."
    return {
        "Comment": "Repeat the training job of the newest registered model.",
        "QueryLanguage": "JSONata",
        "StartAt": "NewestPackage",
        "TimeoutSeconds": 300,
        "States": {
            "NewestPackage": {**_call("listModelPackages", newest), "Next": "IsThereOne"},
            "IsThereOne": {
                "Type": "Choice",
                "Choices": [
                    {"Condition": "{% $count($states.input.ModelPackageSummaryList) > 0 %}", "Next": "ItsLineage"}
                ],
                "Default": "NothingToRepeat",
            },
            "NothingToRepeat": {"Type": "Fail", "Error": "NothingToRepeat", "Cause": no_model},
            "ItsLineage": {
                **_call(
                    "describeModelPackage",
                    {"ModelPackageName": "{% $states.input.ModelPackageSummaryList[0].ModelPackageArn %}"},
                ),
                "Next": "ItsJob",
            },
            "ItsJob": {
                **_call(
                    "describeTrainingJob",
                    {"TrainingJobName": "{% $states.input.MetadataProperties.GeneratedBy %}"},
                ),
                "Next": "TrainAnew",
            },
            "TrainAnew": {**_call("createTrainingJob", new_job), "End": True},
        },
    }


def _call(action: str, arguments: Any) -> dict[str, Any]:
    retry = {"ErrorEquals": ["States.TaskFailed"], "IntervalSeconds": 2, "MaxAttempts": 3, "BackoffRate": 2}
    return {
        "Type": "Task",
        "Resource": f"arn:aws:states:::aws-sdk:sagemaker:{action}",
        "Arguments": arguments,
        "Retry": [retry],
    }


def _retraining_role_statements(args: RetrainingArgs) -> list[iam.Statement]:
    at = f"arn:aws:sagemaker:{args.region}:{args.account}"
    to_sagemaker = {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}
    return [
        iam.allow("ListModelPackages", ["sagemaker:ListModelPackages"], ["*"]),
        iam.allow("ReadModelPackages", ["sagemaker:DescribeModelPackage"], [f"{at}:model-package/{args.group}/*"]),
        iam.allow("ReadTrainingJobs", ["sagemaker:DescribeTrainingJob"], [f"{at}:training-job/*"]),
        iam.allow(
            "StartTrainingJob", ["sagemaker:CreateTrainingJob", "sagemaker:AddTags"], [f"{at}:training-job/again-*"]
        ),
        iam.allow("PassTrainingRole", ["iam:PassRole"], [args.training_role_arn], to_sagemaker),
        iam.allow("WriteTraces", list(iam.TRACE), ["*"]),
    ]
