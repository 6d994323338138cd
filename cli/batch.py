"""`lesion batch`: classify many pictures in S3, on AWS."""

import time

import click

from cli.console import print_json
from cli.data import json_option
from cli.stack import connect, region_option, stack_option
from contract.errors import InvalidUriError
from contract.s3_uri import S3Uri


@click.command()
@click.argument("source", metavar="S3_URI")
@click.argument("results", metavar="RESULTS_S3_URI")
@click.option("--state-machine", metavar="ARN", help="State machine that runs it  [default: the stack's]")
@click.option("--name", help="Name of the run, unique within 90 days  [default: from the time]")
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
    """Classify all pictures under S3_URI, on AWS, and write the results under RESULTS_S3_URI.

    Step Functions lists the pictures, sends them to the function in parallel batches, and retries batches that fail.
    """
    pictures, into = _parse(source), _parse(results)
    if state_machine:
        _region_of(state_machine)
    from contract.batch import BatchRun, S3Location
    from operations.account import Account
    from operations.batch import start_batch

    name = name or time.strftime("lesion-%Y%m%dT%H%M%SZ", time.gmtime())
    run = BatchRun(
        source=S3Location(bucket=pictures.bucket, prefix=pictures.key),
        results=S3Location(bucket=into.bucket, prefix=f"{into.prefix}{name}/"),  # each run has its own folder
    )
    state_machine = state_machine or _state_machine_of(stack, region)
    execution_arn = start_batch(run, name, state_machine, Account(_region_of(state_machine)))
    results_uri = f"s3://{run.results.bucket}/{run.results.prefix}"
    if as_json:
        print_json({"execution_arn": execution_arn, "results": results_uri})
        return
    click.echo(
        f"Started {execution_arn}\nThe results go to {results_uri}, one .jsonl file per batch. To see the state:"
    )
    click.echo(f"    aws stepfunctions describe-execution --execution-arn {execution_arn}")


def _parse(uri: str) -> S3Uri:
    try:
        return S3Uri.parse(uri)
    except InvalidUriError as error:
        raise click.UsageError(str(error)) from error


def _state_machine_of(stack: str, region: str | None) -> str:
    arn = connect(stack, region).deployment.batches_state_machine_arn
    if arn is None:
        raise click.ClickException(
            f"The stack {stack} has no state machine for batches: name a deployed stack with --stack, or classify a "
            "folder on this machine with `lesion predict FOLDER --out results.csv`."
        )
    return arn


def _region_of(arn: str) -> str:
    parts = arn.split(":")
    if len(parts) < 7 or parts[0] != "arn" or parts[2] != "states":
        raise click.UsageError(f"{arn} is not the ARN of a state machine.")
    return parts[3]
