"""`make plan`: checks the Pulumi program with Terraform's AWS provider, without Pulumi's engine and without an account.

pulumi-aws is generated from that provider: `pulumi up` refuses every argument that the provider refuses. For each
stack, the check runs the program and records what it registers, translates that to Terraform's JSON, then validates and
plans it against an AWS that moto emulates on this machine. It does not find errors that only AWS itself detects, such
as an image that does not exist.
"""

import os
import sys
import warnings
from pathlib import Path
from typing import Final

import click

from infra.config import PROJECT, ConfigurationError
from infra.stack_file import read_stack_file
from infra.terraform_check.account import ACCOUNT_ID, PlaceholderAccount
from infra.terraform_check.emulator import loopback_aws
from infra.terraform_check.program_run import run_program
from infra.terraform_check.report import Finding, StackReport
from infra.terraform_check.schema import Schema
from infra.terraform_check.terraform import MIRROR_VARIABLE, Terraform, TerraformError
from infra.terraform_check.translate import translate

REGISTRY: Final = f"{ACCOUNT_ID}.dkr.ecr.us-east-1.amazonaws.com"
EXAMPLES: Final = {  # keys that a stack's file does not have before its first deployment
    "classifyImage": f"{REGISTRY}/lesion-classify:1",
    "pageImage": f"{REGISTRY}/lesion-page:1",
    "githubRepository": "owner/name",
}


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--stack", "stacks", multiple=True, default=("dev", "prod"), show_default=True, help="May be repeated.")
@click.option("--config", "pairs", multiple=True, metavar="KEY=VALUE", help="A configuration key. May be repeated.")
@click.option("--folder", default=".cache/plan", show_default=True, type=click.Path(file_okay=False, path_type=Path),
              help="For the configuration and plan.json of each stack.")  # fmt: skip
@click.option("--apply", is_flag=True, help="Create the planned resources in the emulated AWS too.")
def main(stacks: tuple[str, ...], pairs: tuple[str, ...], folder: Path, apply: bool) -> None:
    """Validate and plan the Pulumi program with Terraform's AWS provider.

    Needs `terraform`. The variable TF_PLUGIN_MIRROR names a folder that mirrors the provider; without it, Terraform
    downloads the provider. Exit code 1: a stack has a problem, or Terraform cannot run.
    """
    warnings.simplefilter("ignore", DeprecationWarning)  # of pulumi_aws, about classes that it defines itself
    given = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
    if len(given) != len(pairs):
        raise click.BadParameter("write each key as KEY=VALUE, and once.", param_hint="--config")
    try:
        reports = check_stacks(stacks, {**EXAMPLES, **given}, folder, apply=apply)
    except (TerraformError, ConfigurationError) as error:
        raise click.ClickException(str(error)) from error
    for report in reports:
        click.echo("\n".join(report.lines()))
    sys.exit(any(report.findings for report in reports))


def check_stacks(stacks: tuple[str, ...], keys: dict[str, str], folder: Path, *, apply: bool) -> list[StackReport]:
    """Check each stack in its own folder below `folder`, with further keys of its configuration.

    Raises:
        TerraformError: Terraform is missing or cannot run.
        ConfigurationError: a stack has no configuration file.
    """
    mirror = os.environ.get(MIRROR_VARIABLE)
    schema: Schema | None = None
    reports = []
    for stack in stacks:
        config = {**read_stack_file(Path(), stack), **{f"{PROJECT}:{key}": value for key, value in keys.items()}}
        region = config["aws:region"]
        with loopback_aws() as url:
            terraform = Terraform(folder / stack, region, url, Path(mirror) if mirror else None)
            schema = schema or terraform.schema()
            reports.append(_check_stack(stack, config, PlaceholderAccount(schema, region), schema, terraform, apply))
    return reports


def _check_stack(
    stack: str, config: dict[str, str], account: PlaceholderAccount, schema: Schema, terraform: Terraform, apply: bool
) -> StackReport:
    report = StackReport(stack)
    run = run_program(stack, config, account)
    if run.error:
        report.findings.append(Finding("the program", "run", str(run.error)))
        return report
    translation = translate(run, account, schema)
    report.resources = sum(resource.custom for resource in run.resources)
    report.findings += translation.findings
    terraform.configure(translation.configuration)
    invalid = terraform.validate()
    report.findings += invalid
    report.valid = len({*account.addresses.values()} - {finding.where for finding in invalid})
    if not invalid:
        report.planned, refused = terraform.plan()
        report.findings += refused
        if apply and not refused:
            report.created, failed = terraform.apply()
            report.findings += failed
    return report


if __name__ == "__main__":
    main()
