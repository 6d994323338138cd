"""`lesion retrain`: train on SageMaker instead of this machine, with a plan, limits and a price before it starts."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.console import print_json
from cli.data import json_option
from cli.stack import LOCAL, connect, region_option, stack_option
from cli.train import read_config, train
from cli.training_jobs.follow import follow_to_the_end

if TYPE_CHECKING:
    from operations.jobs.plan import Plan
    from operations.jobs.request import JobRequest

# The options of `lesion train` that are fields of TrainingConfig: all but those about files on this machine.
_CONFIG_OPTIONS = {param.name for param in train.params} - {
    *("folder", "out", "cache", "checkpoints", "fresh", "keep_features", "as_json"),
}


def _tags(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    pairs = [tag.partition("=") for tag in given]
    if bad := [name for name, equals, _ in pairs if not name or not equals]:
        raise click.BadParameter(f"{bad[0]!r} is not NAME=VALUE.")
    return {name: value for name, _, value in pairs}


@click.command(params=[param for param in train.params if param.name in _CONFIG_OPTIONS])
@stack_option
@region_option
@click.option("--data", "data_uri", metavar="S3_URI", help="Folder of HAM10000_metadata.csv and images/.  [default: "
              "ham10000/ in the stack's data bucket]")  # fmt: skip
@click.option("--output", "output_uri", metavar="S3_URI", help="Folder in which each job gets its own folder.  "
              "[default: jobs/ in the stack's data bucket]")  # fmt: skip
@click.option("--name", metavar="NAME", help="Name of the job.  [default: from the time and the source]")
@click.option("--instance-type", default="ml.g5.xlarge", show_default=True, metavar="TYPE")
@click.option("--instances", default=1, show_default=True, type=click.IntRange(1, 16), metavar="N",
              help="Several instances train one model together, on JAX.")  # fmt: skip
@click.option("--volume-gb", default=50, show_default=True, type=click.IntRange(10, 1000), metavar="GB",
              help="Disk of each instance.")  # fmt: skip
@click.option("--spot/--on-demand", default=True, show_default=True, help="Use spot capacity, which is cheaper but can "
              "be interrupted, or on-demand capacity.")  # fmt: skip
@click.option("--checkpoints/--no-checkpoints", default=True, show_default=True, help="Keep checkpoints in S3.")
@click.option("--resume", metavar="JOB", help="Continue after the last finished epoch of a job that did not finish.")
@click.option("--max-hours", default=4.0, show_default=True, type=float, metavar="H", help="Time limit of the run.")
@click.option("--max-wait-hours", type=float, metavar="H", help="Time limit of the run and the wait for spot capacity "
              "together.  [default: twice --max-hours]")  # fmt: skip
@click.option("--budget", default=10.0, show_default=True, type=click.FloatRange(min=0), metavar="USD",
              help="Refuse a job that could cost more within its limits.")  # fmt: skip
@click.option("--price-per-hour", type=click.FloatRange(min=0), metavar="USD",
              help="Price of one instance.  [default: from a table of AWS's prices]")  # fmt: skip
@click.option("--tag", "tags", multiple=True, metavar="NAME=VALUE", callback=_tags,
              help="Tag of the job, in addition to the stack's. Can be repeated.")  # fmt: skip
@click.option("--kms-key", metavar="ARN", help="Key that encrypts volumes and output.  [default: the stack's]")
@click.option("--subnet", "subnets", multiple=True, metavar="ID", help="Subnet of a VPC.  [default: the stack's]")
@click.option("--security-group", "security_groups", multiple=True, metavar="ID",
              help="Security group in that VPC.  [default: the stack's]")  # fmt: skip
@click.option("--group", metavar="NAME", help="Model package group to register in.  [default: the stack's]")
@click.option("--plan", "only_plan", is_flag=True, help="Print what would be started and its price; start nothing.")
@click.option("--wait", is_flag=True, help="Follow the job until it ends; exit 1 if it fails.")
@json_option
def retrain(
    stack: str,
    region: str | None,
    resume: str | None,
    only_plan: bool,
    wait: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Train on SageMaker, publish the model, and register it for approval.

    The training options are those of `lesion train`. The plan is printed first; with --plan nothing else happens. On
    the local stack the job is a process of this machine.
    """
    request = _read_request(**options)
    from operations.jobs.job import describe_job
    from operations.jobs.launch import launch, pinned_image
    from operations.jobs.plan import make_plan
    from operations.jobs.source import bundle_source
    from operations.jobs.training_data import find_training_data

    account = connect(stack, region)
    if resume:
        request = request.resume(describe_job(resume, account))
    data = find_training_data(request, account)
    source = bundle_source()
    image = pinned_image(account.deployment.region, request.instance_type)
    plan = make_plan(request, account.deployment, data=data, image=image, source=source)
    if only_plan and as_json:
        print_json(plan.to_json())
    else:
        _print_plan(plan, stack, err=as_json or not only_plan)
    if only_plan:
        return
    launch(plan, source, account)
    if wait:
        click.echo(f"The job {plan.name} is started.", err=True)
        follow_to_the_end(plan.name, account, as_json=as_json)
    elif as_json:
        print_json({"job": plan.name, **plan.to_json()})
    else:
        click.echo(plan.name)
        click.echo(f"`lesion jobs logs {plan.name} --follow --stack {stack}` follows it.", err=True)


def _read_request(
    *,
    weights: str | None,
    max_hours: float,
    max_wait_hours: float | None,
    budget: float,
    price_per_hour: float | None,
    **options: Any,
) -> "JobRequest":
    """Make the request of a job from the command's options, and check it."""
    from training.config import IMAGENET, NO_WEIGHTS

    config = {name: options.pop(name) for name in _CONFIG_OPTIONS & options.keys()}
    weights_file = Path(weights) if weights not in (None, IMAGENET, NO_WEIGHTS) else None
    config["weights"] = None if weights_file else weights
    read_config(config)
    from operations.jobs.request import JobRequest

    request = JobRequest(
        **options,
        weights=weights_file,
        max_run_s=round(max_hours * 3600),
        max_wait_s=None if max_wait_hours is None else round(max_wait_hours * 3600),
        budget_usd=budget,
        usd_per_hour=price_per_hour,
        config={name: value for name, value in config.items() if value is not None},
    )
    request.check()
    return request


def _print_plan(plan: "Plan", stack: str, *, err: bool) -> None:
    limits = f"{_hours(plan.max_run_s)} for the run"
    if plan.max_wait_s:
        limits += f", {_hours(plan.max_wait_s)} including the wait for spot capacity"
    low, high = f"${plan.cost.low:.2f}", f"${plan.cost.high:.2f}"
    price = high if plan.cost.low == plan.cost.high else f"{low} to {high}"
    changed = ", with changes that are not committed" if plan.changed else ""
    mb = plan.data.image_bytes / 1e6
    lines = [
        ("image", plan.image),
        ("instances", f"{plan.instances} x {plan.instance_type}, {'spot' if plan.spot else 'on demand'}, "
                      f"{plan.volume_gb} GB of disk"),
        ("limits", limits),
        ("price", f"{price} if it uses all its time, or less; the budget is ${plan.budget_usd:.2f}"),
        ("", f"from ${plan.cost.usd_per_hour:.3f} an hour: {plan.cost.basis}"),
        ("reads", f"{plan.data.images} pictures, {mb:.1f} MB, in {plan.data.images_uri}, and their table"),
        *([("", f"{plan.weights_uri}: the initial weights")] if plan.weights_uri else []),
        ("runs", f"contract/, training/ and operations/ of commit {(plan.commit or 'unknown')[:12]}{changed}"),
        ("options", " ".join(f"{key}={value}" for key, value in plan.hyperparameters.items())),
        ("writes", f"{plan.job_uri}/: source and output{'' if plan.checkpoints_uri else ', no checkpoints'}"),
        *([("", f"{plan.checkpoints_uri}: checkpoints")] if plan.checkpoints_uri else []),
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
        click.echo("On the local stack the job is a process of this machine and costs nothing.", err=err)


def _hours(seconds: int) -> str:
    return f"{seconds / 3600:g} h"
