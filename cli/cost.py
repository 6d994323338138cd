"""`lesion cost`: estimates what a stack costs on AWS, from its configuration."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.console import print_json
from cli.data import json_option

if TYPE_CHECKING:
    from infra.config import StackConfig
    from infra.costs import CostLine

FUNCTION_MS = 45.0  # docs/inference.md has the measurement, on one processor of about 2.6 GHz
VOLUME_GB = 50


@click.command()
@click.argument("stacks", nargs=-1, metavar="[STACK]...")
@click.option("--folder", default=".", type=click.Path(exists=True, file_okay=False, path_type=Path),
              help="The folder of the Pulumi.<stack>.yaml files  [default: here]")  # fmt: skip
@click.option("--function-ms", default=FUNCTION_MS, show_default=True, type=click.FloatRange(min=1),
              help="The time that Lambda bills for one warm prediction.")  # fmt: skip
@click.option("--instance-type", default="ml.g5.xlarge", show_default=True, help="The instance of a training job.")
@click.option(
    "--training-hours",
    default=1.0,
    show_default=True,
    type=click.FloatRange(min=0.1),
    help="The length of a training job.",
)
@json_option
def cost(
    stacks: tuple[str, ...], folder: Path, function_ms: float, instance_type: str, training_hours: float, as_json: bool
) -> None:
    """Estimate what each STACK costs: an idle month, a thousand predictions, and a training job.

    Reads Pulumi.<stack>.yaml, of dev and prod by default, and uses AWS's public prices.
    """
    from infra.costs import estimate_stack_cost
    from operations.prices import read_prices

    prices = read_prices()
    if instance_type not in prices.training_usd_per_hour:
        known = ", ".join(sorted(prices.training_usd_per_hour))
        raise click.BadParameter(f"there is no price of {instance_type}; prices are known for {known}.")
    training = _training_job_lines(instance_type, training_hours)
    costs = []
    for stack in stacks or ("dev", "prod"):
        found = estimate_stack_cost(
            _read_stack(folder, stack),
            prices.usd,
            hours_per_month=prices.hours_per_month,
            fargate_spot_share=prices.spot_share.fargate,
            function_ms=function_ms,
        )
        costs.append((stack, {"an idle month": found.idle_month, "1,000 predictions": found.thousand_predictions}))
    if as_json:
        by_stack = {stack: {title: _as_json(lines) for title, lines in parts.items()} for stack, parts in costs}
        print_json(
            {"as_of": prices.as_of, "region": prices.region, "stacks": by_stack, "training_job": _as_json(training)}
        )
        return
    for stack, parts in costs:
        for title, lines in parts.items():
            _print_cost(f"{stack}: {title}", lines)
    _print_cost("a training job", training)
    click.echo(f"Prices of {prices.as_of} in {prices.region}, before tax. {prices.source}.")


def _read_stack(folder: Path, stack: str) -> "StackConfig":
    from infra.config import ConfigurationError, read_config
    from infra.stack_file import read_stack_file

    try:
        values = read_stack_file(folder, stack)
    except ConfigurationError as error:
        raise click.ClickException(str(error)) from error
    try:
        return read_config(stack, values.get("aws:region", ""), values)
    except ConfigurationError as error:
        raise click.ClickException(f"{folder / f'Pulumi.{stack}.yaml'}: {error}") from error


def _training_job_lines(instance_type: str, hours: float) -> "list[CostLine]":
    from infra.costs import CostLine
    from operations.jobs.cost import estimate_job_cost
    from operations.jobs.request import JobRequest
    from operations.prices import read_prices

    max_run_s = round(3600 * hours)
    request = JobRequest(instance_type=instance_type, max_run_s=max_run_s, volume_gb=VOLUME_GB, spot=True)
    job = estimate_job_cost(request, read_prices().region)
    on_demand = hours * job.usd_per_hour
    disk = job.high - on_demand
    return [
        CostLine(
            what=f"{instance_type} on spot capacity",
            quantity=f"{hours:g} h; {on_demand:.2f} on demand",
            usd=job.low - disk,
        ),
        CostLine(what="its disk", quantity=f"{VOLUME_GB} GB", usd=disk),
    ]


def _as_json(lines: "list[CostLine]") -> dict[str, Any]:
    return {
        "usd": round(sum(line.usd for line in lines), 4),
        "lines": [{"what": line.what, "quantity": line.quantity, "usd": round(line.usd, 4)} for line in lines],
    }


def _print_cost(title: str, lines: "list[CostLine]") -> None:
    total = sum(line.usd for line in lines)
    click.secho(f"{title}: {total:.2f} USD" if total >= 0.1 else f"{title}: {total:.4f} USD", bold=True)
    for line in sorted(lines, key=lambda line: -line.usd):
        click.echo(f"  {line.usd:9.4f}  {line.what}  ({line.quantity})")
    click.echo()
