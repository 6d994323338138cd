"""A small schema in the form of the provider's, and a run of a program of a few resources."""

from typing import Any

from infra.terraform_check.account import PlaceholderAccount
from infra.terraform_check.program_run import ProgramRun, Resource
from infra.terraform_check.schema import Block, Schema
from infra.terraform_check.translate import Translation, translate

OUTPUT = {"type": "string", "computed": True}
TEXT = {"type": "string", "optional": True}


def block(blocks: dict[str, tuple[str, Block]] | None = None, **attributes: Any) -> Block:
    """Write the body of a type: its attributes, and its blocks as (nesting mode, body)."""
    nested = {name: {"nesting_mode": mode, "block": body} for name, (mode, body) in (blocks or {}).items()}
    return {"attributes": {"id": OUTPUT, "arn": OUTPUT, **attributes}, "block_types": nested}


SCHEMA = Schema(
    resources={
        "aws_sns_topic": block(name=TEXT, name_prefix=TEXT, kms_master_key_id=TEXT, tags={"type": ["map", "string"]}),
        "aws_sns_topic_policy": block(arn={"type": "string", "required": True}, policy={"type": "string"}),
        "aws_sns_topic_subscription": block(topic_arn=TEXT, endpoint=TEXT),
        "aws_lambda_function": block(
            {"environment": ("list", {"attributes": {"variables": {"type": ["map", "string"]}}})},
            function_name={"type": "string", "required": True},
            layers={"type": ["list", "string"]},
            vpc_options={"nested_type": {"nesting_mode": "single", "attributes": {"subnet_ids": {"type": "string"}}}},
        ),
        "aws_security_group": block(
            name=TEXT,
            ingress={"type": ["set", ["object", {"description": "string", "from_port": "number"}]], "optional": True},
        ),
        "aws_cloudwatch_metric_alarm": block(
            {"metric_query": ("set", {"attributes": {"expression": TEXT}})},
            alarm_name={"type": "string", "required": True},
        ),
        "aws_lb": block(name=TEXT),
        "aws_s3_bucket": block(bucket=TEXT),
        "aws_iam_openid_connect_provider": block(url=TEXT),
    },
    data_sources={"aws_security_group": block(name=TEXT)},
)


class Program:
    """Registers resources as the program's run does."""

    def __init__(self) -> None:
        self.account = PlaceholderAccount(SCHEMA, "us-east-1")
        self.run = ProgramRun()

    def add(self, kind: str, name: str, /, *, waits_for: tuple[str, ...] = (), **inputs: Any) -> dict[str, Any]:
        """Register a resource of a type such as "sns/topic:Topic", and give its outputs with its id and URN."""
        urn = f"urn:pulumi:dev::lesions::aws:{kind}::{name}-{len(self.run.resources)}"
        resource = Resource(
            type=f"aws:{kind}",
            name=name,
            urn=urn,
            inputs=inputs,
            custom=True,
            parent="",
            protect=False,
            retained=False,
            ignored=(),
            waits_for=frozenset(waits_for),
        )
        self.run.resources.append(resource)
        resource_id, outputs = self.account.create(resource)
        return {**outputs, "id": resource_id, "urn": urn}

    def translate(self) -> Translation:
        return translate(self.run, self.account, SCHEMA)
