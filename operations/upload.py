"""Upload labelled pictures to S3, where training jobs read them: the pictures first, their table last."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from contract.s3_uri import S3Uri
from operations.account import Account
from operations.aws_errors import aws_errors
from training.data.ham10000 import Dataset
from training.data.layout import METADATA
from training.progress import OnProgress, ignore_progress

THREADS: Final = 16


def upload(dataset: Dataset, uri: str, account: Account, on_progress: OnProgress = ignore_progress) -> int:
    """Copy a data set to S3, as `<uri>/HAM10000_metadata.csv` and `<uri>/images/`. Pictures already there are skipped.

    The table is uploaded last, so a prefix that has a table has all of its pictures. An interrupted upload continues
    when it is started again.

    Args:
        dataset: the pictures, and the folder of their table.
        uri: s3://<bucket>/<prefix>.
        account: of the bucket.
        on_progress: called with the name of the work, how many pictures are uploaded, and of how many.

    Returns:
        how many pictures were uploaded.

    Raises:
        InvalidUriError: `uri` is not an S3 URI.
        DeploymentError: S3 refuses.
    """
    target = S3Uri.parse(uri)
    bucket, prefix = target.bucket, target.prefix
    s3 = account.client("s3")
    with aws_errors(f"uploading to {uri}"):
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}images/")
        uploaded = {entry["Key"]: entry["Size"] for page in pages for entry in page.get("Contents", [])}
        keys = {f"{prefix}images/{Path(path).name}": Path(path) for path in dataset.rows["path"]}
        missing = {key: path for key, path in keys.items() if uploaded.get(key) != path.stat().st_size}
        with ThreadPoolExecutor(THREADS) as threads:
            sent = threads.map(lambda item: s3.upload_file(str(item[1]), bucket, item[0]), missing.items())
            for done, _ in enumerate(sent, start=1):
                on_progress("uploading pictures", done, len(missing))
        s3.upload_file(str(dataset.folder / METADATA), bucket, f"{prefix}{METADATA}")
    return len(missing)
