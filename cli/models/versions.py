"""`lesion models register`, `trim`, `list` and `show`: the versions of the model."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.console import print_json
from cli.data import json_option
from cli.models.registry import open_registry
from cli.stack import connect, region_option, stack_option

if TYPE_CHECKING:
    from operations.registry.packages import ModelPackage


@click.command()
@click.argument("bundle", type=click.Path(file_okay=False, path_type=Path))
@stack_option
@region_option
def register(bundle: Path, stack: str, region: str | None) -> None:
    """Publish a BUNDLE that was trained on this machine, and register it for approval.

    A training job on SageMaker registers its own model. A bundle can be registered twice without harm.
    """
    from contract.bundle import read_bundle

    manifest = read_bundle(bundle)
    from operations.registry.publish import publish

    account = connect(stack, region)
    uri = publish(bundle, f"s3://{account.deployment.models_bucket}", account)
    arn = open_registry(account).register(manifest, uri)
    click.echo(f"{manifest.version} is in {uri}, registered as {arn}.")


@click.command()
@click.argument("bundle", type=click.Path(file_okay=False, path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
def trim(bundle: Path, out: Path) -> None:
    """Copy a BUNDLE to OUT without its fp32 model, which serving and comparing do not need.

    The copy has about a quarter of the size, for example to keep it in a repository.
    """
    from training.artifact.trim import trim as run

    manifest = run(bundle, out)
    size = sum(file.bytes for file in manifest.files.values())
    click.echo(f"{manifest.version} is in {out}: {len(manifest.files)} files, {size / 1e6:.1f} MB.")


@click.command("list")
@stack_option
@region_option
@json_option
def list_models(stack: str, region: str | None, as_json: bool) -> None:
    """List every version of the model, the newest first, and its share of the traffic."""
    from operations.rollout.function import traffic_shares

    account = connect(stack, region)
    packages = open_registry(account).packages()
    shares = traffic_shares(account)
    if as_json:
        print_json([_as_dict(package, shares) for package in packages])
        return
    if not packages:
        click.echo("There is no model yet: `lesion retrain` trains one.")
        return
    for package in packages:
        metric = package.properties.get("balanced_accuracy", "unknown").split(" ")[0]
        share = shares.get(package.model_uri)
        serves = f"serves {share:.0%}" if share else ""
        click.echo(f"{package.version}  {package.status:<21}  balanced accuracy {metric}  {serves}".rstrip())


@click.command()
@click.argument("version")
@stack_option
@region_option
@json_option
def show(version: str, stack: str, region: str | None, as_json: bool) -> None:
    """Show the record of a VERSION. The first or last characters of its name are enough."""
    from operations.registry.version_name import check_version_name
    from operations.rollout.function import traffic_shares

    check_version_name(version)
    account = connect(stack, region)
    package = open_registry(account).find(version)
    shares = traffic_shares(account)
    if as_json:
        print_json(_as_dict(package, shares))
        return
    click.echo(f"{package.version}: {package.status}")
    if package.approval:
        click.echo(package.approval)
    if share := shares.get(package.model_uri):
        click.echo(f"serves {share:.0%} of the traffic")
    click.echo(f"{'package':<27} {package.arn}")
    for name, value in package.properties.items():
        if name != "model_version":
            click.echo(f"{name:<27} {value}")


def _as_dict(package: "ModelPackage", shares: dict[str, float]) -> dict[str, Any]:
    return {**vars(package), "serves": shares.get(package.model_uri, 0.0)}
