"""`lesion models compare`, `promote` and `rollback`: choose the version that serves."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.console import print_json, progress_bars
from cli.data import json_option
from cli.models.registry import open_registry
from cli.stack import connect, region_option, stack_option
from contract.errors import BundleError, DeploymentError

if TYPE_CHECKING:
    from operations.comparison.compare import ComparisonPictures

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


@click.command()
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


@click.command()
@click.argument("version")
@click.option("--why", default="", metavar="TEXT", help="Reason, recorded with the approval; needed with --force.")
@click.option("--force", is_flag=True, help="Promote without the gates. The golden pictures are still checked.")
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


@click.command()
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
    uri = serving_model_uri(account) if named is None else open_registry(account).find(named).model_uri
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


def _model_name(model_uri: str | None) -> str:
    return model_uri.rsplit("/", 1)[-1] if model_uri else "no model"
