"""`lesion batch`: start a run over many pictures in S3, on AWS."""

import time
from typing import Any

import click

from cli.console import print_json
from cli.data import json_option
from cli.stack import reach, region_option, stack_option
from contract.errors import AnalyzerError, InvalidUriError
from contract.s3_uri import S3Uri


@click.command()
@click.argument("source", metavar="S3_URI")
@click.argument("results", metavar="RESULTS_S3_URI")
@click.option("--state-machine", metavar="ARN", help="That fans a run out over the function  [default: the stack's]")
@click.option("--name", help="Of the run  [default: the time]; Step Functions takes each name once in 90 days.")
@stack_option
@region_option
@json_option
def batch(
    source: str,
    results: str,
    state_machine: str | None,
    name: str | None,
    stack: str,
    region: str | None,
    as_json: bool,
) -> None:
    """Answer all pictures below S3_URI, on AWS, and write their rows below RESULTS_S3_URI.

    Step Functions lists the pictures, hands them to the function in batches, side by side, and tries again what fails.
    """
    from contract.batch import BatchRun

    name = name or time.strftime("lesion-%Y%m%dT%H%M%SZ", time.gmtime())
    into = _place(results)
    into["prefix"] = f"{into['prefix'].rstrip('/')}/{name}/".lstrip("/")  # a folder of its own for each run
    run = BatchRun.model_validate({"source": _place(source), "results": into})
    arn = start_run(state_machine or _state_machine_of(stack, region), name, run.model_dump_json())
    where = f"s3://{run.results.bucket}/{run.results.prefix}"
    if as_json:
        print_json({"execution_arn": arn, "results": where})
        return
    click.echo(f"Started {arn}\nRows will lie below {where}, one .jsonl file a batch. To see how far it is:")
    click.echo(f"    aws stepfunctions describe-execution --execution-arn {arn}")


def start_run(state_machine_arn: str, name: str, execution_input: str) -> str:
    """Start an execution; return its ARN.

    Raises:
        AnalyzerError: there are no credentials, or Step Functions refuses.
    """
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        client: Any = boto3.client("stepfunctions", region_name=_region_of(state_machine_arn))
        started = client.start_execution(stateMachineArn=state_machine_arn, name=name, input=execution_input)
    except (BotoCoreError, ClientError) as error:
        raise AnalyzerError(f"The run could not be started: {str(error).rstrip('.')}.") from error
    return str(started["executionArn"])


def _state_machine_of(stack: str, region: str | None) -> str:
    arn = reach(stack, region).batches_state_machine_arn
    if arn is None:
        raise click.ClickException(
            f"The stack {stack} has no state machine for batches: name a deployed one with --stack, or ask about a "
            "folder here with `lesion predict FOLDER --out results.csv`."
        )
    return arn


def _region_of(arn: str) -> str:
    parts = arn.split(":")
    if len(parts) < 7 or parts[0] != "arn" or parts[2] != "states":
        raise click.UsageError(f"{arn} is not the ARN of a state machine.")
    return parts[3]


def _place(uri: str) -> dict[str, str]:
    from contract.batch import Place

    try:
        bucket, key = S3Uri.parse(uri)
    except InvalidUriError as error:
        raise click.UsageError(str(error)) from error
    return dict(Place(bucket=bucket, prefix=key).model_dump())
