"""The classifier as a Lambda function, with its role, its log, its alias and the queue of failed events."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

from infra import iam

ALIAS: Final = "live"  # the API calls it, and a promotion moves it
METRICS_NAMESPACE: Final = "SkinLesionAnalyzer"  # with /<stack>, so that each stack has its own metrics


@dataclass(frozen=True, kw_only=True)
class ClassifyFunctionArgs:
    """What the function needs from the rest of the stack."""

    stack: str
    boundary_arn: pulumi.Input[str]
    key_arn: pulumi.Input[str]
    image_uri: str
    models_bucket_arn: pulumi.Input[str]
    data_bucket_arn: pulumi.Input[str]  # batches read pictures/ and write answers/ in it
    memory_mb: int
    timeout_s: int
    reserved_concurrency: int | None
    provisioned_concurrency: int
    log_level: str
    log_retention_days: int


class ClassifyFunction(pulumi.ComponentResource):
    """The function. Until a model is promoted it has none, and answers 503."""

    function: aws.lambda_.Function
    alias: aws.lambda_.Alias
    log_group: aws.cloudwatch.LogGroup
    failed_events: aws.sqs.Queue

    def __init__(self, name: str, args: ClassifyFunctionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("analyzer:inference:ClassifyFunction", name, None, opts)
        self._name, self._args, self._child_options = name, args, pulumi.ResourceOptions(parent=self)
        self.log_group = aws.cloudwatch.LogGroup(
            name, retention_in_days=args.log_retention_days, kms_key_id=args.key_arn, opts=self._child_options
        )
        self.failed_events = aws.sqs.Queue(
            f"{name}-failed",
            kms_master_key_id=args.key_arn,
            message_retention_seconds=14 * 24 * 3600,
            opts=self._child_options,
        )
        role_arn = iam.role(
            name,
            description="Permissions of the classifier",
            trusted=iam.unconditional_trust("lambda.amazonaws.com"),
            statements=function_role_statements(args, self.log_group.arn, self.failed_events.arn),
            boundary_arn=args.boundary_arn,
            opts=self._child_options,
        )
        self.function = self._function(role_arn)
        self.alias = self._alias()
        self.register_outputs({"name": self.function.name, "alias_arn": self.alias.arn})

    def _function(self, role_arn: pulumi.Output[str]) -> aws.lambda_.Function:
        args = self._args
        return aws.lambda_.Function(
            self._name,
            description="Classifies pictures of skin lesions: HTTP requests, and batches in S3",
            package_type="Image",
            image_uri=args.image_uri,
            architectures=["x86_64"],
            role=role_arn,
            memory_size=args.memory_mb,
            timeout=args.timeout_s,
            reserved_concurrent_executions=-1 if args.reserved_concurrency is None else args.reserved_concurrency,
            publish=True,
            environment={"variables": function_environment(args.stack, args.log_level)},
            kms_key_arn=args.key_arn,
            tracing_config={"mode": "Active"},
            dead_letter_config={"target_arn": self.failed_events.arn},
            logging_config={
                "log_format": "JSON",  # of Lambda's own lines too: a metric filter reads the init time from them
                "log_group": self.log_group.name,
                # Not above INFO: Lambda would drop the log lines that carry metrics.
                "application_log_level": "DEBUG" if args.log_level == "DEBUG" else "INFO",
                "system_log_level": "INFO",
            },
            opts=pulumi.ResourceOptions(
                parent=self,
                ignore_changes=["environment.variables.MODEL_URI"],  # `lesion models promote` sets it
                custom_timeouts=pulumi.CustomTimeouts(create="10m"),  # Lambda optimizes a new image first
            ),
        )

    def _alias(self) -> aws.lambda_.Alias:
        alias = aws.lambda_.Alias(
            self._name,
            name=ALIAS,
            description="What the API calls",
            function_name=self.function.name,
            function_version=self.function.version,  # at the first deployment; later promotions move the alias
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["functionVersion", "routingConfig"]),
        )
        aws.lambda_.FunctionEventInvokeConfig(
            self._name,
            function_name=self.function.name,
            qualifier=alias.name,
            maximum_retry_attempts=1,
            maximum_event_age_in_seconds=3600,
            destination_config={"on_failure": {"destination": self.failed_events.arn}},
            opts=self._child_options,
        )
        if self._args.provisioned_concurrency:
            aws.lambda_.ProvisionedConcurrencyConfig(
                self._name,
                function_name=self.function.name,
                qualifier=alias.name,
                provisioned_concurrent_executions=self._args.provisioned_concurrency,
                opts=self._child_options,
            )
        return alias


def function_environment(stack: str, log_level: str) -> dict[str, str]:
    """Write the function's environment before the first promotion."""
    return {
        "MODEL_URI": "",
        "LOG_LEVEL": log_level,
        "POWERTOOLS_METRICS_NAMESPACE": f"{METRICS_NAMESPACE}/{stack}",
    }


def function_role_statements(
    args: ClassifyFunctionArgs, log_group_arn: pulumi.Input[str], queue_arn: pulumi.Input[str]
) -> Sequence[iam.Statement]:
    """Write the function's permissions: read models, answer batches, write logs and traces, queue failed events."""
    concat = pulumi.Output.concat
    return [
        iam.allow("ReadModels", ["s3:GetObject"], [concat(args.models_bucket_arn, "/models/*")]),
        iam.allow("ReadBatchPictures", ["s3:GetObject"], [concat(args.data_bucket_arn, "/pictures/*")]),
        iam.allow("WriteBatchAnswers", ["s3:PutObject"], [concat(args.data_bucket_arn, "/answers/*")]),
        iam.allow("UseKey", ["kms:Decrypt", "kms:GenerateDataKey"], [args.key_arn]),
        iam.allow("WriteLogs", ["logs:CreateLogStream", "logs:PutLogEvents"], [concat(log_group_arn, ":*")]),
        iam.allow("SendFailedEvents", ["sqs:SendMessage"], [queue_arn]),
        iam.allow("WriteTraces", iam.TRACE, ["*"]),
    ]
