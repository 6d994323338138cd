"""The pictures in S3 that a job would train on: are they there, and can the job read them?"""

from dataclasses import dataclass
from typing import Any, Final

from contract.errors import DeploymentError
from contract.s3_uri import S3Uri
from operations.account import Account, Stack
from operations.aws_errors import aws_errors
from operations.jobs.request import JobRequest
from training.data.layout import METADATA

IMAGE_PREFIXES: Final = ("images/", "HAM10000_images_part_")  # the first one that has pictures is used


@dataclass(frozen=True, kw_only=True)
class TrainingData:
    """A set of labelled pictures in S3."""

    uri: str  # s3://<bucket>/<prefix>/
    images_uri: str  # a prefix
    images: int
    image_bytes: int


def find_training_data(request: JobRequest, stack: Stack) -> TrainingData:
    """Find the table and the pictures, and check the buckets that the job needs.

    Raises:
        DeploymentError: the table, the pictures or a bucket is missing, a bucket is in another region, or AWS refuses.
    """
    uri = request.data_uri_in(stack.deployment)
    bucket, prefix = S3Uri.parse(uri)
    check_bucket(bucket, stack)
    check_bucket(S3Uri.parse(request.output_uri_in(stack.deployment)).bucket, stack)
    s3 = stack.client("s3")
    with aws_errors(f"looking for the pictures in {uri}"):
        if not _list_objects(s3, bucket, f"{prefix}{METADATA}"):
            raise DeploymentError(
                f"There is no {METADATA} in {uri}: upload a set with `lesion data upload`, or name another place with "
                "--data."
            )
        for start in IMAGE_PREFIXES:
            sizes = [size for key, size in _list_objects(s3, bucket, f"{prefix}{start}") if key.endswith(".jpg")]
            if sizes:
                return TrainingData(uri=uri, images_uri=f"{uri}{start}", images=len(sizes), image_bytes=sum(sizes))
    raise DeploymentError(f"There are no pictures in {uri}images/: upload them with `lesion data upload`.")


def check_bucket(bucket: str, account: Account) -> None:
    """Check that a bucket exists, that these credentials may use it, and that it is in the region of the account.

    Raises:
        DeploymentError: one of these is not so.
    """
    s3 = account.client("s3")
    with aws_errors(f"looking for the bucket {bucket}"):
        try:
            region = s3.head_bucket(Bucket=bucket).get("BucketRegion") or account.region
        except s3.exceptions.ClientError as error:
            metadata = error.response["ResponseMetadata"]
            if metadata["HTTPStatusCode"] == 404:
                raise DeploymentError(f"There is no bucket {bucket}: create it, or name another.") from error
            region = metadata.get("HTTPHeaders", {}).get("x-amz-bucket-region", account.region)
            if region == account.region:
                raise
    if region != account.region:
        raise DeploymentError(
            f"The bucket {bucket} is in {region}, and the jobs of this stack run in {account.region}: a job reads "
            "pictures only from its own region. Copy them to a bucket there, or name a stack in that region."
        )


def _list_objects(s3: Any, bucket: str, prefix: str) -> list[tuple[str, int]]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return [(entry["Key"], entry["Size"]) for page in pages for entry in page.get("Contents", [])]
