"""`lesion models`: register, list, compare, promote and roll back the versions of the model."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.console import print_json, progress_bars
from cli.data import json_option
from cli.stack import connect, region_option, stack_option
from contract.errors import BundleError, DeploymentError

if TYPE_CHECKING:
    from operations.account import Stack
    from operations.comparison.compare import ComparisonPictures
    from operations.registry.packages import ModelPackage, ModelRegistry

data_option = click.option(
    "--data", "folder", type=click.Path(file_okay=False, path_type=Path),
    help="Let both models classify these labelled pictures. By default the predictions for the test pictures are "
    "compared, which the bundles keep.",
)  # fmt: skip
metadata_option = click.option(
    "--metadata", metavar="CSV", type=click.Path(dir_okay=False, path_type=Path),
    help="Table of the pictures in --data.  [default: HAM10000_metadata.csv in that folder]",
)  # fmt: skip
cache_option = click.option(
    "--cache", default=Path(".cache"), show_default=True, type=click.Path(file_okay=False, path_type=Path),
    help="Folder for downloaded bundles and decoded pictures.",
)  # fmt: skip


@click.group()
def models() -> None:
    """Register, list, compare, promote and roll back the versions of the model."""


@models.command()
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
    arn = _registry(account).register(manifest, uri)
    click.echo(f"{manifest.version} is in {uri}, registered as {arn}.")


@models.command()
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


@models.command("list")
@stack_option
@region_option
@json_option
def list_models(stack: str, region: str | None, as_json: bool) -> None:
    """List every version of the model, the newest first, and its share of the traffic."""
    from operations.rollout.function import traffic_shares

    account = connect(stack, region)
    packages = _registry(account).packages()
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


@models.command()
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
    package = _registry(account).find(version)
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


@models.command()
@click.argument("challenger")
@click.argument("champion", required=False)
@data_option
@metadata_option
@cache_option
@click.option("--markdown", is_flag=True, help="Print Markdown, for a comment on a pull request.")
@stack_option
@region_option
@json_option
def compare(
    challenger: str,
    champion: str | None,
    folder: Path | None,
    metadata: Path | None,
    cache: Path,
    markdown: bool,
    stack: str,
    region: str | None,
    as_json: bool,
) -> None:
    """Compare CHALLENGER with CHAMPION; exit 1 if it does not pass every gate.

    Each is a version, or the folder of a bundle on this machine. CHAMPION is by default the version that serves.
    """
    _check_data_options(folder, metadata)
    for named in (challenger, champion):
        if named is not None:
            _check_model(named)
    challenger_bundle = _find_bundle(challenger, stack, region, cache)
    champion_bundle = _find_bundle(champion, stack, region, cache)
    from operations.comparison import compare as comparing
    from operations.comparison import report

    with progress_bars() as on_progress:
        pictures = _comparison_pictures(folder, metadata, cache, on_progress)
        comparison = comparing.compare(challenger_bundle, champion_bundle, pictures)
    if as_json:
        print_json(report.as_json(comparison))
    else:
        click.echo(report.as_markdown(comparison) if markdown else report.as_text(comparison))
    if not comparison.passed:
        raise click.exceptions.Exit(1)


@models.command()
@click.argument("version")
@click.option("--why", default="", metavar="TEXT", help="Reason, recorded with the approval; needed with --force.")
@click.option("--force", is_flag=True, help="Promote without the gates. The golden pictures are checked all the same.")
@click.option("--wait/--no-wait", default=True, show_default=True, help="Wait until the canary has ended.")
@data_option
@metadata_option
@cache_option
@stack_option
@region_option
@json_option
def promote(
    version: str,
    why: str,
    force: bool,
    wait: bool,
    folder: Path | None,
    metadata: Path | None,
    cache: Path,
    stack: str,
    region: str | None,
    as_json: bool,
) -> None:
    """Let a VERSION that passes every gate serve all users, after a canary.

    CodeDeploy rolls the canary back if an alarm goes off. An interrupted promotion leaves the earlier version serving,
    and the same command finishes it. The version that serves can be promoted again, to release new code of the
    function.
    """
    if force and not why.strip():
        raise click.UsageError("--force needs a reason: --why TEXT.")
    _check_data_options(folder, metadata)
    from operations.registry.version_name import check_version_name

    check_version_name(version)
    account = connect(stack, region)
    from operations.rollout import promote as promotion

    request = promotion.PromotionRequest(
        version=version, by=account.caller_arn(), why=why.strip(), force=force, wait=wait
    )
    with progress_bars() as on_progress:
        done = promotion.promote(
            request,
            account,
            cache=cache / "models",
            pictures=_comparison_pictures(folder, metadata, cache, on_progress),
            log=lambda line: click.echo(line, err=True),
        )
    if as_json:
        print_json(vars(done))
    elif done.outcome == "canary":
        click.echo(
            f"{done.version} gets a tenth of the traffic, and then all if no alarm goes off. `lesion models list` "
            "shows its share."
        )
    else:
        click.echo(f"{done.version} serves (version {done.function_version} of the function).")


@models.command()
@click.option(
    "--why", default="no reason given", metavar="TEXT", help="Reason, recorded with the version that stops serving."
)
@stack_option
@region_option
@json_option
def rollback(why: str, stack: str, region: str | None, as_json: bool) -> None:
    """Return to the version that served before, at once. A running canary is stopped."""
    from operations.rollout.rollback import roll_back

    account = connect(stack, region)
    done = roll_back(account, by=account.caller_arn(), why=why)
    if as_json:
        print_json({"left": vars(done.left), "serves": vars(done.serves), "stopped": done.stopped})
        return
    click.echo(f"Version {done.serves.number} of the function serves: {_model_name(done.serves.model_uri)}.")
    click.echo(f"Before: version {done.left.number}, {_model_name(done.left.model_uri)}.")


def _check_data_options(folder: Path | None, metadata: Path | None) -> None:
    if metadata is not None and folder is None:
        raise click.UsageError("--metadata belongs to --data.")


def _check_model(named: str) -> None:
    """Refuse, before AWS is asked, an argument that is neither a bundle nor a possible version."""
    from contract.bundle import MANIFEST
    from operations.registry.version_name import NAMING, may_be_version

    if (Path(named) / MANIFEST).is_file():
        return
    if Path(named).is_dir():
        raise BundleError(f"There is no {MANIFEST} in {named}: it is not a model bundle. Name another folder.")
    if not may_be_version(named):
        raise DeploymentError(f"{named} is neither the folder of a bundle nor a version: {NAMING}")


def _find_bundle(named: str | None, stack: str, region: str | None, cache: Path) -> Path:
    """Find a bundle: a folder on this machine, a version in the registry, or the version that serves."""
    from contract.bundle import MANIFEST
    from operations.registry.fetch import fetch_bundle
    from operations.rollout.function import serving_model_uri

    if named is not None and (Path(named) / MANIFEST).is_file():
        return Path(named)
    account = connect(stack, region)
    uri = serving_model_uri(account) if named is None else _registry(account).find(named).model_uri
    if not uri:
        raise DeploymentError("No model serves yet: name the champion too.")
    return fetch_bundle(uri, cache / "models", account)


def _comparison_pictures(
    folder: Path | None, metadata: Path | None, cache: Path, on_progress: Any
) -> "ComparisonPictures | None":
    if folder is None:
        return None
    from operations.comparison.compare import ComparisonPictures
    from training.quiet import quiet_tensorflow

    quiet_tensorflow()
    return ComparisonPictures(folder=folder, metadata=metadata, cache=cache, on_progress=on_progress)


def _registry(account: "Stack") -> "ModelRegistry":
    from operations.registry.packages import ModelRegistry

    return ModelRegistry(account, account.deployment.model_package_group)


def _as_dict(package: "ModelPackage", shares: dict[str, float]) -> dict[str, Any]:
    return {**vars(package), "serves": shares.get(package.model_uri, 0.0)}


def _model_name(model_uri: str | None) -> str:
    return model_uri.rsplit("/", 1)[-1] if model_uri else "no model"
