"""Batch runs: Step Functions lists many pictures and calls the function for them in parallel.

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
    """The state machine that `lesion batch` starts; other components need only `arn`."""

    arn: pulumi.Output[str]

    def __init__(self, name: str, args: BatchesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("analyzer:inference:Batches", name, None, opts)
        child_options = pulumi.ResourceOptions(parent=self)
        logs = aws.cloudwatch.LogGroup(
            name,
            name_prefix=f"/aws/vendedlogs/states/{name}-",
            retention_in_days=args.log_retention_days,
            kms_key_id=args.key_arn,
            opts=child_options,
        )
        role_arn = iam.role(
            name,
            description="Calls the function for each batch of pictures",
            trusted=iam.trust("states.amazonaws.com", args.account),
            statements=batch_role_statements(args, name),
            boundary_arn=args.boundary_arn,
            opts=child_options,
        )
        machine = aws.sfn.StateMachine(
            name,
            name=name,  # fixed, because the role names it to start child executions
            role_arn=role_arn,
            definition=pulumi.Output.from_input(args.alias_arn).apply(
                lambda alias_arn: json.dumps(batch_state_machine(alias_arn, args.size, args.concurrency))
            ),
            logging_configuration={
                "level": "ERROR",
                "include_execution_data": False,
                "log_destination": pulumi.Output.concat(logs.arn, ":*"),
            },
            tracing_configuration={"enabled": True},
            opts=child_options,
        )
        self.arn = machine.arn
        self.register_outputs({"arn": self.arn})


def batch_state_machine(alias_arn: str, size: int, concurrency: int) -> dict[str, Any]:
    """Write the state machine. Its input is `contract.batch.BatchRun`: {source, results}, each {bucket, prefix}."""
    retry_throttled = {
        "ErrorEquals": ["Lambda.TooManyRequestsException", "Lambda.ServiceException", "Lambda.SdkClientException"],
        "IntervalSeconds": 2,
        "MaxAttempts": 8,
        "BackoffRate": 2,
        "JitterStrategy": "FULL",
    }
    # No model, S3 unreachable, or an environment that crashed. A batch writes all or nothing, so a retry is safe.
    retry_failed = {"ErrorEquals": ["States.ALL"], "IntervalSeconds": 5, "MaxAttempts": 3, "BackoffRate": 3}
    classify = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": alias_arn, "Payload.$": "$"},
        "OutputPath": "$.Payload",
        "Retry": [retry_throttled, retry_failed],
        "End": True,
    }
    return {
        "Comment": "Classify every picture below a prefix; each batch writes one object of rows.",
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
                "ResultWriter": {  # the batches' results, which are too large for the state of an execution
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


def batch_role_statements(args: BatchesArgs, name: str) -> Sequence[iam.Statement]:
    """Write a run's permissions: list pictures, write answers, call the function, start child executions."""
    concat = pulumi.Output.concat
    own = f"arn:aws:states:{args.region}:{args.account}"
    writes = ["s3:PutObject", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:AbortMultipartUpload"]
    only_batches = {"StringLike": {"s3:prefix": ["pictures/*", "answers/*"]}}
    logs = [  # actions on vended logs take no resource: https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html
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
        iam.allow("InvokeFunction", ["lambda:InvokeFunction"], [args.alias_arn]),
        iam.allow("ListPictures", ["s3:ListBucket"], [args.data_bucket_arn], only_batches),
        iam.allow("WriteAnswers", writes, [concat(args.data_bucket_arn, "/answers/*")]),
        iam.allow("UseKey", ["kms:Decrypt", "kms:GenerateDataKey"], [args.key_arn]),
        iam.allow("StartChildExecutions", ["states:StartExecution"], [f"{own}:stateMachine:{name}"]),
        iam.allow(
            "ManageChildExecutions", ["states:DescribeExecution", "states:StopExecution"], [f"{own}:execution:{name}/*"]
        ),
        iam.allow("ConfigureLogDelivery", logs, ["*"]),
        iam.allow("WriteTraces", iam.TRACE, ["*"]),
    ]
