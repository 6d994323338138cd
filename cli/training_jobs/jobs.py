"""`lesion jobs`: the training jobs of a stack."""

import click

from cli.console import print_json
from cli.data import json_option
from cli.stack import connect, region_option, stack_option
from cli.training_jobs.follow import describe_state, explain_end, follow_to_the_end


@click.group()
def jobs() -> None:
    """List, show, follow and stop training jobs. `lesion retrain` starts one."""


@jobs.command("list")
@stack_option
@region_option
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 100), help="How many jobs.")
@json_option
def list_(stack: str, region: str | None, limit: int, as_json: bool) -> None:
    """List training jobs, the newest first."""
    from operations.jobs.job import list_jobs

    found = list_jobs(connect(stack, region), limit)
    if as_json:
        print_json([describe_state(state) for state in found])
        return
    for state in found:
        click.echo(f"{state.name:<36} {state.status:<11} {state.created:%Y-%m-%d %H:%M}")
    if not found:
        click.echo("There are no jobs: `lesion retrain` starts one.")


@jobs.command()
@click.argument("name")
@stack_option
@region_option
@json_option
def show(name: str, stack: str, region: str | None, as_json: bool) -> None:
    """Show the options and the state of the job NAME."""
    from operations.jobs.job import describe_job

    state = describe_job(name, connect(stack, region))
    if as_json:
        print_json(describe_state(state))
        return
    lines = {
        "status": f"{state.status} ({state.secondary})",
        "why": explain_end(state) if state.has_ended and state.status != "Completed" else None,
        "created": f"{state.created:%Y-%m-%d %H:%M:%S}",
        "started": f"{state.started:%Y-%m-%d %H:%M:%S}" if state.started else None,
        "ended": f"{state.ended:%Y-%m-%d %H:%M:%S}" if state.ended else None,
        "ran": f"{state.training_s} s, {state.billable_s} s billed" if state.training_s else None,
        "instances": f"{state.instances} x {state.instance_type}{', spot' if state.spot else ''}",
        "options": " ".join(f"{key}={value}" for key, value in state.hyperparameters.items()),
        "metrics": " ".join(f"{metric}={value:.4g}" for metric, value in state.metrics.items()) or None,
        "checkpoint": state.checkpoints_uri,
        "output": state.model_uri,
    }
    click.echo(name)
    for title, value in lines.items():
        if value is not None:
            click.echo(f"  {title:<10} {value}")


@jobs.command()
@click.argument("name")
@click.option("--follow", "-f", "following", is_flag=True, help="Follow the job until it ends; exit 1 if it fails.")
@stack_option
@region_option
def logs(name: str, following: bool, stack: str, region: str | None) -> None:
    """Print the log of the job NAME up to now."""
    from operations.jobs.log import read_log

    account = connect(stack, region)
    if following:
        follow_to_the_end(name, account, as_json=False)
        return
    for line in read_log(name, account):
        click.echo(line)


@jobs.command()
@click.argument("name")
@stack_option
@region_option
def stop(name: str, stack: str, region: str | None) -> None:
    """Stop the job NAME. `lesion retrain --resume NAME` continues after its last finished epoch."""
    from operations.jobs.job import stop_job

    state = stop_job(name, connect(stack, region))
    click.echo(f"The job {name} is {state.status}.")
