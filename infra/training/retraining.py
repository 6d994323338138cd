"""Training anew without anybody's computer: the job behind the newest registered model is started again.

On a schedule, when the drift alarm goes off, or by hand. What it makes is registered and waits for approval, like
every other model; nothing is promoted from here.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_aws as aws

from infra import iam

# What a new job takes over from the one it repeats; sagemaker:CreateTrainingJob knows each under the same name.
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
# Evaluated by Step Functions as JSONata. The new job has checkpoints of its own: with the old ones it would be finished
# before it starts.
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
class TrainingAgainArgs:
    """What it needs from the rest of the stack."""

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


class TrainingAgain(pulumi.ComponentResource):
    """A state machine, and what starts it."""

    def __init__(self, name: str, args: TrainingAgainArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("analyzer:training:TrainingAgain", name, None, opts)
        self._name, self._args, self._inside = name, args, pulumi.ResourceOptions(parent=self)
        role_arn = iam.role(
            name,
            description="Starts the newest model's training job again",
            trusted=iam.trust("states.amazonaws.com", args.account),
            statements=_statements(args),
            boundary_arn=args.boundary_arn,
            opts=self._inside,
        )
        machine = aws.sfn.StateMachine(
            name,
            role_arn=role_arn,
            definition=pulumi.Output.all(args.group_arn, args.data_bucket).apply(
                lambda known: json.dumps(definition(known[0], known[1], args.tags))
            ),
            tracing_configuration={"enabled": True},
            opts=self._inside,
        )
        if args.schedule or args.drift_alarm_arn:
            self._start(machine.arn)
        self.register_outputs({"state_machine_arn": machine.arn})

    def _start(self, machine_arn: pulumi.Output[str]) -> None:
        name, args = f"{self._name}-start", self._args
        may_start = [iam.allow("Start", ["states:StartExecution"], [machine_arn])]
        if args.schedule:
            role_arn = self._starter(f"{name}-scheduled", "scheduler.amazonaws.com", may_start)
            aws.scheduler.Schedule(
                name,
                description="Trains anew",
                schedule_expression=args.schedule,
                flexible_time_window={"mode": "OFF"},
                target={"arn": machine_arn, "role_arn": role_arn},
                opts=self._inside,
            )
        if args.drift_alarm_arn is not None:
            role_arn = self._starter(f"{name}-drifted", "events.amazonaws.com", may_start)
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
                opts=self._inside,
            )
            aws.cloudwatch.EventTarget(name, rule=rule.name, arn=machine_arn, role_arn=role_arn, opts=self._inside)

    def _starter(self, name: str, service: str, statements: Sequence[iam.Statement]) -> pulumi.Output[str]:
        return iam.role(
            name,
            description="Starts the state machine that trains anew",
            trusted=iam.trust(service, self._args.account),
            statements=statements,
            boundary_arn=self._args.boundary_arn,
            opts=self._inside,
        )


def definition(group_arn: str, data_bucket: str, tags: dict[str, str]) -> dict[str, Any]:
    """Write the state machine: newest package, its job, a new job like it."""
    new_job = (
        NEW_JOB.replace("REPEATED", json.dumps(REPEATED))
        .replace("TAGS", json.dumps([{"Key": key, "Value": value} for key, value in tags.items()]))
        .replace("BUCKET", data_bucket)
    )
    newest = {"ModelPackageGroupName": group_arn, "SortBy": "CreationTime", "SortOrder": "Descending", "MaxResults": 1}
    none_yet = "No model is registered yet: train the first with `lesion retrain`."
    return {
        "Comment": "Start the training job behind the newest registered model again.",
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
            "NothingToRepeat": {"Type": "Fail", "Error": "NothingToRepeat", "Cause": none_yet},
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


def _statements(args: TrainingAgainArgs) -> list[iam.Statement]:
    at = f"arn:aws:sagemaker:{args.region}:{args.account}"
    to_sagemaker = {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}
    return [
        iam.allow("FindTheNewest", ["sagemaker:ListModelPackages"], ["*"]),
        iam.allow("ReadItsLineage", ["sagemaker:DescribeModelPackage"], [f"{at}:model-package/{args.group}/*"]),
        iam.allow("ReadItsJob", ["sagemaker:DescribeTrainingJob"], [f"{at}:training-job/*"]),
        iam.allow("TrainAnew", ["sagemaker:CreateTrainingJob", "sagemaker:AddTags"], [f"{at}:training-job/again-*"]),
        iam.allow("AsTheTrainingRole", ["iam:PassRole"], [args.training_role_arn], to_sagemaker),
        iam.allow("Trace", list(iam.TRACE), ["*"]),
    ]
