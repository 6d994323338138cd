"""`lesion jobs`: the training jobs of a stack."""

import click

from cli.console import print_json
from cli.data import json_option
from cli.following import describe_state, follow_to_the_end, how_it_ended
from cli.stack import reach, region_option, stack_option


@click.group()
def jobs() -> None:
    """List, show, follow and stop training jobs, which `lesion retrain` starts."""


@jobs.command("list")
@stack_option
@region_option
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 100), help="How many, the newest first.")
@json_option
def list_(stack: str, region: str | None, limit: int, as_json: bool) -> None:
    """List training jobs, the newest first."""
    from operations.jobs.follow import list_jobs

    found = list_jobs(reach(stack, region).region, limit)
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
    """Show what the job NAME was asked to do and how it stands."""
    from operations.jobs.follow import describe

    state = describe(name, reach(stack, region).region)
    if as_json:
        print_json(describe_state(state))
        return
    lines = {
        "status": f"{state.status} ({state.secondary})",
        "why": how_it_ended(state) if state.over and state.status != "Completed" else None,
        "created": f"{state.created:%Y-%m-%d %H:%M:%S}",
        "started": f"{state.started:%Y-%m-%d %H:%M:%S}" if state.started else None,
        "ended": f"{state.ended:%Y-%m-%d %H:%M:%S}" if state.ended else None,
        "ran": f"{state.training_s} s, of which {state.billable_s} s are billed" if state.training_s else None,
        "instances": f"{state.instances} x {state.instance_type}{', spot' if state.spot else ''}",
        "asked for": " ".join(f"{key}={value}" for key, value in state.hyperparameters.items()),
        "measured": " ".join(f"{metric}={value:.4g}" for metric, value in state.metrics.items()) or None,
        "checkpoint": state.checkpoints_uri,
        "output": state.model_uri,
    }
    click.echo(name)
    for title, value in lines.items():
        if value is not None:
            click.echo(f"  {title:<10} {value}")


@jobs.command()
@click.argument("name")
@click.option("--follow", "-f", "following", is_flag=True, help="Go on until the job ends; exit 1 if it fails.")
@stack_option
@region_option
def logs(name: str, following: bool, stack: str, region: str | None) -> None:
    """Print what the job NAME has said so far."""
    from operations.jobs.follow import read_log

    deployment = reach(stack, region)
    if following:
        follow_to_the_end(name, deployment.region, as_json=False)
        return
    for line in read_log(name, deployment.region):
        click.echo(line)


@jobs.command()
@click.argument("name")
@stack_option
@region_option
def stop(name: str, stack: str, region: str | None) -> None:
    """Ask the job NAME to end. Its checkpoint is written first, so that `lesion retrain --resume NAME` goes on."""
    from operations.jobs.follow import stop as ask_to_stop

    state = ask_to_stop(name, reach(stack, region).region)
    click.echo(f"The job {name} is {state.status}.")
