"""`lesion retrain`: on SageMaker what `lesion train` does here: planned, limited and priced before it starts."""

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.console import print_json
from cli.data import json_option
from cli.following import follow_to_the_end
from cli.stack import LOCAL, reach, region_option, stack_option
from cli.train import read_config, train
from training.config import IMAGENET, NO_WEIGHTS, TrainingConfig

if TYPE_CHECKING:
    from operations.jobs.plan import Plan

_OF_A_RUN = {field.name for field in fields(TrainingConfig)}


def _tags(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    pairs = [tag.partition("=") for tag in given]
    if bad := [name for name, equals, _ in pairs if not name or not equals]:
        raise click.BadParameter(f"{bad[0]!r} is no NAME=VALUE.")
    return {name: value for name, _, value in pairs}


@click.command(params=[param for param in train.params if param.name in _OF_A_RUN])
@stack_option
@region_option
@click.option("--data", "data_uri", metavar="S3_URI", help="Where HAM10000_metadata.csv and images/ lie.  [default: "
              "ham10000/ in the stack's data bucket]")  # fmt: skip
@click.option("--output", "output_uri", metavar="S3_URI", help="Where each job gets a folder.  [default: jobs/ in the "
              "stack's data bucket]")  # fmt: skip
@click.option("--name", metavar="NAME", help="Of the job.  [default: made of the time and the source]")
@click.option("--instance-type", default="ml.g5.xlarge", show_default=True, metavar="TYPE")
@click.option("--instances", default=1, show_default=True, type=click.IntRange(1, 16), metavar="N",
              help="More than one train together, on JAX.")  # fmt: skip
@click.option("--volume-gb", default=50, show_default=True, type=click.IntRange(10, 1000), metavar="GB",
              help="Disk of each instance.")  # fmt: skip
@click.option("--spot/--on-demand", default=True, show_default=True, help="Spare capacity at a lower price, or not.")
@click.option("--checkpoints/--no-checkpoints", default=True, show_default=True, help="Keep the unfinished run in S3.")
@click.option("--resume", metavar="JOB", help="Go on with the checkpoint of a job that did not finish.")
@click.option("--max-hours", default=4.0, show_default=True, type=float, metavar="H", help="Time limit of the job.")
@click.option("--max-wait-hours", type=float, metavar="H", help="Time limit with the wait for spot capacity.  "
              "[default: twice --max-hours]")  # fmt: skip
@click.option("--budget", default=10.0, show_default=True, type=click.FloatRange(min=0), metavar="USD",
              help="Refuse a job that its limits allow to cost more.")  # fmt: skip
@click.option("--price-per-hour", type=click.FloatRange(min=0), metavar="USD",
              help="Of one instance, instead of the table's.")  # fmt: skip
@click.option("--tag", "tags", multiple=True, metavar="NAME=VALUE", callback=_tags, help="Beside the stack's own.")
@click.option("--kms-key", metavar="ARN", help="For the volumes and the output.  [default: the stack's]")
@click.option("--subnet", "subnets", multiple=True, metavar="ID", help="Of a VPC.  [default: the stack's]")
@click.option("--security-group", "security_groups", multiple=True, metavar="ID", help="In it.  [default: the stack's]")
@click.option("--group", metavar="NAME", help="Of model packages, to register in.  [default: the stack's]")
@click.option(
    "--plan", "only_plan", is_flag=True, help="Say what would be started, and what it may cost; start nothing."
)
@click.option("--wait", is_flag=True, help="Follow the job to its end; exit 1 if it fails.")
@json_option
def retrain(
    stack: str,
    region: str | None,
    weights: str | None,
    resume: str | None,
    max_hours: float,
    max_wait_hours: float | None,
    budget: float,
    price_per_hour: float | None,
    only_plan: bool,
    wait: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Train on SageMaker, publish the model and register it for approval.

    The options of a run are those of `lesion train`. The plan is printed first; --plan stops there. On the local stack
    the job is a process of this machine.
    """
    run = {name: options.pop(name) for name in _OF_A_RUN & options.keys()}
    of_a_file = weights not in (None, IMAGENET, NO_WEIGHTS)
    run["weights"] = None if of_a_file else weights
    read_config(run)
    from operations.jobs.follow import describe
    from operations.jobs.launch import find_data, launch, pinned_image
    from operations.jobs.plan import Wishes, check_limits, make_plan
    from operations.jobs.source import bundle_source

    wishes = Wishes(
        **options,
        weights=Path(str(weights)) if of_a_file else None,
        max_run_s=round(max_hours * 3600),
        max_wait_s=None if max_wait_hours is None else round(max_wait_hours * 3600),
        budget_usd=budget,
        usd_per_hour=price_per_hour,
        config={name: value for name, value in run.items() if value is not None},
    )
    check_limits(wishes)
    deployment = reach(stack, region)
    if resume:
        wishes = wishes.resuming(describe(resume, deployment.region))
    data = find_data(wishes, deployment)
    source = bundle_source()
    plan = make_plan(
        wishes, deployment, data=data, image=pinned_image(deployment.region, wishes.instance_type), source=source
    )
    if only_plan and as_json:
        print_json(plan.to_json())
    else:
        _print_plan(plan, stack, err=as_json or not only_plan)
    if only_plan:
        return
    launch(plan, source)
    if wait:
        click.echo(f"The job {plan.name} is started.", err=True)
        follow_to_the_end(plan.name, deployment.region, as_json=as_json)
    elif as_json:
        print_json({"job": plan.name, **plan.to_json()})
    else:
        click.echo(plan.name)
        click.echo(f"`lesion jobs logs {plan.name} --follow --stack {stack}` follows it.", err=True)


def _print_plan(plan: "Plan", stack: str, *, err: bool) -> None:
    limits = f"{_hours(plan.max_run_s)} of running"
    if plan.max_wait_s:
        limits += f", {_hours(plan.max_wait_s)} with the wait for spot capacity"
    low, high = f"${plan.cost.low:.2f}", f"${plan.cost.high:.2f}"
    price = high if plan.cost.low == plan.cost.high else f"{low} to {high}"
    changed = ", with changes that are not committed" if plan.changed else ""
    mb = plan.data.image_bytes / 1e6
    lines = [
        ("image", plan.image),
        ("instances", f"{plan.instances} x {plan.instance_type}, {'spot' if plan.spot else 'on demand'}, "
                      f"{plan.volume_gb} GB of disk"),
        ("limits", limits),
        ("price", f"{price} if it takes the whole time, less if not; the budget is ${plan.budget_usd:.2f}"),
        ("", f"from ${plan.cost.usd_per_hour:.3f} an hour: {plan.cost.basis}"),
        ("reads", f"{plan.data.images} pictures, {mb:.1f} MB, in {plan.data.images_uri}, and their table"),
        *([("", f"{plan.weights_uri}: the weights to start from")] if plan.weights_uri else []),
        ("runs", f"contract/, training/ and operations/ of commit {(plan.commit or 'unknown')[:12]}{changed}"),
        ("with", " ".join(f"{key}={value}" for key, value in plan.hyperparameters.items())),
        ("writes", f"{plan.job_uri}/: its source and output{'' if plan.checkpoints_uri else ', no checkpoints'}"),
        *([("", f"{plan.checkpoints_uri}: the unfinished run")] if plan.checkpoints_uri else []),
        ("", f"{plan.models_uri}/models/<version>/: the model, registered in {plan.group}"),
    ]  # fmt: skip
    if plan.kms_key:
        lines.append(("encrypts", f"with {plan.kms_key}"))
    if plan.subnets:
        lines.append(("network", f"in {', '.join(plan.subnets)} with {', '.join(plan.security_groups)}"))
    click.echo(f"The plan of job {plan.name}:", err=err)
    for title, line in lines:
        click.echo(f"  {title:<10} {line}", err=err)
    if stack == LOCAL:
        click.echo("On the local stack it is a process of this machine, and nothing is billed.", err=err)


def _hours(seconds: int) -> str:
    return f"{seconds / 3600:g} h"
