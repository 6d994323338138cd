"""`lesion models`: the versions of the model, from their registration to the end of their service."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.console import print_json, progress_bars
from cli.data import json_option
from cli.stack import reach, region_option, stack_option

if TYPE_CHECKING:
    from operations.comparison.compare import Labelled
    from operations.deployment import Deployment
    from operations.registry.packages import Package

CACHE = Path(".cache")
SHOWN_FIRST = ("model_uri", "created_at", "job", "git_commit", "data_name", "precision")

data_options = [
    click.option("--data", "folder", type=click.Path(file_okay=False, path_type=Path),
                 help="Ask both models about these labelled pictures, instead of comparing what their bundles keep."),
    click.option("--metadata", metavar="CSV", type=click.Path(dir_okay=False, path_type=Path),
                 help="Their table, if it is not HAM10000_metadata.csv in the folder."),
]  # fmt: skip
cache_option = click.option(
    "--cache", default=CACHE, show_default=True, type=click.Path(file_okay=False, path_type=Path),
    help="Where bundles and decoded pictures are kept.",
)  # fmt: skip


def _with_data(command: Any) -> Any:
    for option in reversed(data_options):
        command = option(command)
    return command


@click.group()
def models() -> None:
    """List, compare, promote and roll back the versions of the model."""


@models.command()
@click.argument("bundle", type=click.Path(file_okay=False, path_type=Path))
@stack_option
@region_option
def register(bundle: Path, stack: str, region: str | None) -> None:
    """Publish a BUNDLE that was trained on this machine, and register it to wait for approval.

    A training job on SageMaker does so by itself. Doing it again does no harm.
    """
    from contract.bundle import read_bundle
    from operations.registry.packages import register as run
    from operations.registry.publish import publish

    manifest = read_bundle(bundle)
    deployment = reach(stack, region)
    uri = publish(bundle, f"s3://{deployment.models_bucket}")
    arn = run(manifest, uri, group=deployment.model_package_group, region=deployment.region)
    click.echo(f"{manifest.version} is in {uri}, registered as {arn}.")


@models.command()
@click.argument("bundle", type=click.Path(file_okay=False, path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
def trim(bundle: Path, out: Path) -> None:
    """Copy a BUNDLE to OUT without its fp32 model, which serving and comparing do not need.

    What is left is about a quarter of the size: one to hand on, or to keep beside the code.
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
    """List every version of the model, the newest first, and what serves."""
    from operations.registry.packages import list_packages

    deployment = reach(stack, region)
    packages = list_packages(deployment.model_package_group, deployment.region)
    serving = _serving(deployment)
    if as_json:
        print_json([_plain(package, serving) for package in packages])
        return
    if not packages:
        click.echo("There is no model yet: `lesion retrain` makes one.")
        return
    for package in packages:
        metric = package.properties.get("balanced_accuracy", "unknown").split(" ")[0]
        share = serving.get(package.model_uri)
        serves = f"serves {share:.0%}" if share else ""
        click.echo(f"{package.version}  {package.status:<21}  balanced accuracy {metric}  {serves}".rstrip())


@models.command()
@click.argument("version")
@stack_option
@region_option
@json_option
def show(version: str, stack: str, region: str | None, as_json: bool) -> None:
    """Show what is known of a VERSION, of which the first or last characters suffice."""
    from operations.registry.packages import find_package

    deployment = reach(stack, region)
    package = find_package(version, deployment.model_package_group, deployment.region)
    serving = _serving(deployment)
    if as_json:
        print_json(_plain(package, serving))
        return
    click.echo(f"{package.version}: {package.status}")
    if package.approval:
        click.echo(package.approval)
    if share := serving.get(package.model_uri):
        click.echo(f"serves {share:.0%} of the traffic")
    click.echo(f"package             {package.arn}")
    for name, value in package.properties.items():
        if name != "model_version":
            click.echo(f"{name:<27} {value}")


@models.command()
@click.argument("challenger")
@click.argument("champion", required=False)
@_with_data
@cache_option
@click.option("--markdown", is_flag=True, help="For a comment on a pull request.")
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
    """Hold CHALLENGER against CHAMPION, by default the version that serves; exit 1 if it does not pass.

    Both are versions, or folders of bundles on this machine.
    """
    from operations.comparison.compare import compare as run
    from operations.comparison.wording import as_json as plain
    from operations.comparison.wording import as_markdown, as_text

    one = _bundle_of(challenger, stack, region, cache)
    other = _bundle_of(champion, stack, region, cache)
    with progress_bars() as on_progress:
        comparison = run(one, other, _labelled(folder, metadata, cache, on_progress))
    if as_json:
        print_json(plain(comparison))
    else:
        click.echo(as_markdown(comparison) if markdown else as_text(comparison))
    if not comparison.passed:
        raise click.exceptions.Exit(1)


@models.command()
@click.argument("version")
@click.option("--why", default="", metavar="TEXT", help="Kept with the approval; needed with --force.")
@click.option("--force", is_flag=True, help="Whatever the gates say. The golden pictures must be answered right.")
@click.option("--wait/--no-wait", default=True, show_default=True, help="Until the canary has ended.")
@_with_data
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
    """Bring a VERSION that passes its gates to all users, in a canary that goes back by itself.

    Interrupted at any step, the version before goes on to serve, and the same command finishes it. The same model goes
    out again on new code of the function.
    """
    if force and not why.strip():
        raise click.UsageError("--force needs a reason: --why TEXT.")
    from operations.aws import caller
    from operations.registry.promote import Request
    from operations.registry.promote import promote as run

    deployment = reach(stack, region)
    request = Request(version=version, by=caller(deployment.region), why=why.strip(), force=force, wait=wait)
    with progress_bars() as on_progress:
        done = run(
            request,
            deployment,
            cache=cache / "models",
            on=_labelled(folder, metadata, cache, on_progress),
            say=lambda line: click.echo(line, err=True),
        )
    if as_json:
        print_json(vars(done))
    elif done.outcome == "canary":
        click.echo(
            f"{done.version} gets a tenth of the traffic, and all of it if no alarm goes off: `lesion models list`"
        )
    else:
        click.echo(f"{done.version} serves (version {done.function_version} of the function).")


@models.command()
@click.option("--why", default="no reason given", metavar="TEXT", help="Kept with the version that is left.")
@stack_option
@region_option
@json_option
def rollback(why: str, stack: str, region: str | None, as_json: bool) -> None:
    """Return to the version that served before, at once; a canary under way is stopped."""
    from operations.aws import caller
    from operations.registry.rollback import roll_back

    deployment = reach(stack, region)
    done = roll_back(deployment, by=caller(deployment.region), why=why)
    if as_json:
        print_json({"left": vars(done.left), "serves": vars(done.serves), "stopped": done.stopped})
        return
    click.echo(f"Version {done.serves.number} of the function serves: {_name_of(done.serves.model_uri)}.")
    click.echo(f"Left: version {done.left.number}, {_name_of(done.left.model_uri)}.")


def _serving(deployment: "Deployment") -> dict[str, float]:
    """Tell which models get what share of the traffic, by their URI."""
    from operations.registry.serving import list_versions, read_alias

    alias, versions = read_alias(deployment), list_versions(deployment)
    shares = {alias.version: 1 - sum(alias.canary.values()), **alias.canary}
    found: dict[str, float] = {}
    for number, share in shares.items():
        if (uri := versions[number].model_uri) is not None:
            found[uri] = found.get(uri, 0) + share
    return found


def _bundle_of(named: str | None, stack: str, region: str | None, cache: Path) -> Path:
    """Find a bundle: a folder here, a version in the registry, or what serves."""
    from contract.bundle import MANIFEST
    from contract.errors import DeploymentError
    from operations.registry.bundles import fetch_bundle
    from operations.registry.packages import find_package
    from operations.registry.serving import list_versions, read_alias

    if named is not None and (Path(named) / MANIFEST).is_file():
        return Path(named)
    deployment = reach(stack, region)
    if named is not None:
        uri = find_package(named, deployment.model_package_group, deployment.region).model_uri
    else:
        uri = list_versions(deployment)[read_alias(deployment).version].model_uri or ""
        if not uri:
            raise DeploymentError("No model serves yet: name the champion too.")
    return fetch_bundle(uri, cache / "models", region=deployment.region)


def _labelled(folder: Path | None, metadata: Path | None, cache: Path, on_progress: Any) -> "Labelled | None":
    """Word what is compared on; None for the answers that bundles keep."""
    if folder is None:
        if metadata is not None:
            raise click.UsageError("--metadata belongs to --data.")
        return None
    from operations.comparison.compare import Labelled
    from training.quiet import quiet_tensorflow

    quiet_tensorflow()
    return Labelled(folder=folder, metadata=metadata, cache=cache, on_progress=on_progress)


def _plain(package: "Package", serving: dict[str, float]) -> dict[str, Any]:
    return {**vars(package), "serves": serving.get(package.model_uri, 0.0)}


def _name_of(model_uri: str | None) -> str:
    return model_uri.rsplit("/", 1)[-1] if model_uri else "no model"
