"""`lesion data upload`: copy labelled pictures to S3, where training jobs read them."""

from pathlib import Path

import click

from cli.console import print_json, progress_bars
from cli.data import folder_argument, json_option
from cli.stack import connect, region_option, stack_option
from contract.s3_uri import S3Uri
from training.data.layout import metadata_path


@click.command()
@folder_argument
@stack_option
@region_option
@click.option("--to", "uri", metavar="S3_URI", help="Target.  [default: ham10000/ in the stack's data bucket]")
@json_option
def upload(folder: Path, stack: str, region: str | None, uri: str | None, as_json: bool) -> None:
    """Copy the pictures in FOLDER and their table to S3, for `lesion retrain`.

    Pictures that are there already are not copied again, so an interrupted upload can be continued.
    """
    if uri:
        S3Uri.parse(uri)
    metadata_path(folder)
    from operations.upload import upload as run
    from training.data.ham10000 import read_dataset

    dataset = read_dataset(folder)
    account = connect(stack, region)
    uri = (uri or f"s3://{account.deployment.data_bucket}/ham10000").rstrip("/")
    with progress_bars() as on_progress:
        uploaded = run(dataset, uri, account, on_progress)
    if as_json:
        print_json({"uri": uri, "uploaded": uploaded})
    else:
        click.echo(f"{uploaded} pictures and their table are uploaded to {uri}/.")
