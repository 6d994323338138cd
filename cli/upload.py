"""`lesion data upload`: labelled pictures to where training jobs take them from."""

from pathlib import Path

import click

from cli.console import print_json, progress_bars
from cli.data import folder_argument, json_option
from cli.stack import reach, region_option, stack_option


@click.command()
@folder_argument
@stack_option
@region_option
@click.option("--to", "uri", metavar="S3_URI", help="Where to.  [default: ham10000/ in the stack's data bucket]")
@json_option
def upload(folder: Path, stack: str, region: str | None, uri: str | None, as_json: bool) -> None:
    """Copy the pictures in FOLDER and their table to S3, for `lesion retrain`. What is there already stays."""
    from operations.upload import upload as run

    deployment = reach(stack, region)
    uri = (uri or f"s3://{deployment.data_bucket}/ham10000").rstrip("/")
    with progress_bars() as on_progress:
        sent = run(folder, uri, deployment.region, on_progress)
    if as_json:
        print_json({"uri": uri, "uploaded": sent})
    else:
        click.echo(f"{sent} pictures and their table are uploaded to {uri}/.")
