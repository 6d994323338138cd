"""A set of labelled pictures in S3, where training jobs take it from: the pictures first, their table last."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from contract.s3_uri import S3Uri
from operations.aws import client, told
from training.data.ham10000 import read_dataset
from training.data.layout import METADATA
from training.progress import OnProgress

AT_ONCE: Final = 16


def upload(folder: Path, uri: str, region: str | None = None, on_progress: OnProgress = lambda *_: None) -> int:
    """Copy a set to S3, as `<uri>/HAM10000_metadata.csv` and `<uri>/images/`; what is there already stays.

    A prefix with a table has all of its pictures, for the table comes last; an upload that breaks off goes on when it
    is started again.

    Args:
        folder: of the set, in either published layout.
        uri: s3://<bucket>/<prefix>.
        region: of the bucket.
        on_progress: called with what is being done, how many are done, of how many.

    Returns:
        how many pictures were not there before.

    Raises:
        DatasetError: the set cannot be read.
        InvalidUriError: `uri` is not an S3 URI.
        DeploymentError: S3 refuses.
    """
    rows = read_dataset(folder).rows
    place = S3Uri.parse(uri)
    bucket, prefix = place.bucket, place.prefix
    s3 = client("s3", region)
    paths = [Path(path) for path in rows["path"]]
    with told(f"uploading to {uri}"):
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}images/")
        there = {entry["Key"]: entry["Size"] for page in pages for entry in page.get("Contents", [])}
        keys = {f"{prefix}images/{path.name}": path for path in paths}
        missing = {key: path for key, path in keys.items() if there.get(key) != path.stat().st_size}
        with ThreadPoolExecutor(AT_ONCE) as threads:
            sent = threads.map(lambda item: s3.upload_file(str(item[1]), bucket, item[0]), missing.items())
            for done, _ in enumerate(sent, start=1):
                on_progress("uploading pictures", done, len(missing))
        s3.upload_file(str(folder / METADATA), bucket, f"{prefix}{METADATA}")
    return len(missing)
