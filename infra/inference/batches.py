"""Many pictures at once: Step Functions lists them and hands them to the function, side by side.

https://docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from infra import iam


@dataclass(frozen=True, kw_only=True)
class BatchesArgs:
    """What batch runs need from the rest of the stack."""

    account: str
    region: str
    boundary_arn: pulumi.Input[str]
    key_arn: pulumi.Input[str]
    alias_arn: pulumi.Input[str]
    data_bucket_arn: pulumi.Input[str]
    size: int  # pictures in one event
    concurrency: int
    log_retention_days: int


class Batches(pulumi.ComponentResource):
    """The state machine that `lesion batch` starts; `arn` is all that others need."""

    arn: pulumi.Output[str]

    def __init__(self, name: str, args: BatchesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("analyzer:inference:Batches", name, None, opts)
        inside = pulumi.ResourceOptions(parent=self)
        logs = aws.cloudwatch.LogGroup(
            name,
            name_prefix=f"/aws/vendedlogs/states/{name}-",
            retention_in_days=args.log_retention_days,
            kms_key_id=args.key_arn,
            opts=inside,
        )
        role_arn = iam.role(
            name,
            description="Fans batches out over the function",
            trusted=iam.trust("states.amazonaws.com", args.account),
            statements=role_statements(args, name),
            boundary_arn=args.boundary_arn,
            opts=inside,
        )
        machine = aws.sfn.StateMachine(
            name,
            name=name,  # its role names it, so that it may start its own child executions
            role_arn=role_arn,
            definition=pulumi.Output.from_input(args.alias_arn).apply(
                lambda alias_arn: json.dumps(definition(alias_arn, args.size, args.concurrency))
            ),
            logging_configuration={
                "level": "ERROR",
                "include_execution_data": False,
                "log_destination": pulumi.Output.concat(logs.arn, ":*"),
            },
            tracing_configuration={"enabled": True},
            opts=inside,
        )
        self.arn = machine.arn
        self.register_outputs({"arn": self.arn})


def definition(alias_arn: str, size: int, concurrency: int) -> dict[str, Any]:
    """Write the state machine, whose input is a run as `lesion batch` words it: {source, results}, each a place."""
    passing = {
        "ErrorEquals": ["Lambda.TooManyRequestsException", "Lambda.ServiceException", "Lambda.SdkClientException"],
        "IntervalSeconds": 2,
        "MaxAttempts": 8,
        "BackoffRate": 2,
        "JitterStrategy": "FULL",
    }
    # No model, S3 out of reach, an environment that died: the batch leaves nothing half done, so try it again.
    failed = {"ErrorEquals": ["States.ALL"], "IntervalSeconds": 5, "MaxAttempts": 3, "BackoffRate": 3}
    classify = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": alias_arn, "Payload.$": "$"},
        "OutputPath": "$.Payload",
        "Retry": [passing, failed],
        "End": True,
    }
    return {
        "Comment": "Answer every picture below a prefix; one object of rows for each batch.",
        "StartAt": "Pictures",
        "States": {
            "Pictures": {
                "Type": "Map",
                "ItemReader": {
                    "Resource": "arn:aws:states:::s3:listObjectsV2",
                    "Parameters": {"Bucket.$": "$.source.bucket", "Prefix.$": "$.source.prefix"},
                },
                "ItemBatcher": {"MaxItemsPerBatch": size, "BatchInput.$": "$"},
                "ItemProcessor": {
                    "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                    "StartAt": "Classify",
                    "States": {"Classify": classify},
                },
                "MaxConcurrency": concurrency,
                "ResultWriter": {  # what batches answered: more than an execution itself can keep
                    "Resource": "arn:aws:states:::s3:putObject",
                    "Parameters": {
                        "Bucket.$": "$.results.bucket",
                        "Prefix.$": "States.Format('{}run', $.results.prefix)",
                    },
                },
                "End": True,
            }
        },
    }


def role_statements(args: BatchesArgs, name: str) -> Sequence[iam.Statement]:
    """Write what a run may do: list and read pictures, write answers, call the function, run its own children."""
    concat = pulumi.Output.concat
    own = f"arn:aws:states:{args.region}:{args.account}"
    writes = ["s3:PutObject", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:AbortMultipartUpload"]
    below = {"StringLike": {"s3:prefix": ["pictures/*", "answers/*"]}}
    logs = [  # vended logs have no resource: https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html
        "logs:CreateLogDelivery",
        "logs:GetLogDelivery",
        "logs:UpdateLogDelivery",
        "logs:DeleteLogDelivery",
        "logs:ListLogDeliveries",
        "logs:PutResourcePolicy",
        "logs:DescribeResourcePolicies",
        "logs:DescribeLogGroups",
    ]
    return [
        iam.allow("Call", ["lambda:InvokeFunction"], [args.alias_arn]),
        iam.allow("ListPictures", ["s3:ListBucket"], [args.data_bucket_arn], below),
        iam.allow("WriteAnswers", writes, [concat(args.data_bucket_arn, "/answers/*")]),
        iam.allow("UseTheKey", ["kms:Decrypt", "kms:GenerateDataKey"], [args.key_arn]),
        iam.allow("StartChildren", ["states:StartExecution"], [f"{own}:stateMachine:{name}"]),
        iam.allow(
            "FollowChildren", ["states:DescribeExecution", "states:StopExecution"], [f"{own}:execution:{name}/*"]
        ),
        iam.allow("SetUpItsLog", logs, ["*"]),
        iam.allow("Trace", iam.TRACE, ["*"]),
    ]
