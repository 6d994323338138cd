"""From a plan to a running job: looks at what is in S3, puts the source there, and asks SageMaker.

The SageMaker SDK is loaded only here, and only when it is needed: it takes seconds.
"""

import logging
import warnings
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ConnectionError, HTTPClientError

from contract.errors import DeploymentError
from contract.s3_uri import S3Uri
from operations.aws import client, told
from operations.deployment import Deployment
from operations.jobs.metrics import metric_definitions
from operations.jobs.plan import ENTRYPOINT, Data, Plan, data_uri_of, output_uri_of
from operations.jobs.source import ARCHIVE, Source
from training.data.layout import METADATA

if TYPE_CHECKING:
    from operations.jobs.plan import Wishes

IMAGE_PREFIXES: Final = ("images/", "HAM10000_images_part_")  # of which the first that there is counts
TENSORFLOW: Final = "2.21.0"  # of the image; the same as the locked one, which a test holds
PYTHON: Final = "py312"  # of the image


def pinned_image(region: str, instance_type: str) -> str:
    """Name the container image of AWS for this TensorFlow, on the processor or the GPU of an instance type.

    Raises:
        DeploymentError: there is none in that region, or for that instance type.
    """
    _load_sdk()
    from sagemaker.core import image_uris

    try:
        found: str = image_uris.retrieve(
            "tensorflow",
            region,
            version=TENSORFLOW,
            py_version=PYTHON,
            instance_type=instance_type,
            image_scope="training",
        )
    except ValueError as error:  # what the SDK raises for both
        raise DeploymentError(
            f"There is no image of TensorFlow {TENSORFLOW} for {instance_type} in {region}: name another "
            f"--instance-type, as in ml.g5.xlarge. ({str(error).splitlines()[0]})"
        ) from error
    return found


def find_data(wishes: "Wishes", deployment: Deployment) -> Data:
    """Look whether the table and the pictures lie where a job would take them from.

    Raises:
        DeploymentError: they do not, the bucket is not there or in another region, or AWS refuses.
    """
    uri = data_uri_of(wishes, deployment)
    bucket, prefix = S3Uri.parse(uri)
    check_bucket(bucket, deployment.region)
    check_bucket(S3Uri.parse(output_uri_of(wishes, deployment)).bucket, deployment.region)
    s3 = client("s3", deployment.region)
    with told(f"looking for the pictures in {uri}"):
        if not _objects(s3, bucket, f"{prefix}{METADATA}"):
            raise DeploymentError(
                f"There is no {METADATA} in {uri}: put a set there with `lesion data upload`, or name another place "
                "with --data."
            )
        for start in IMAGE_PREFIXES:
            found = [(key, size) for key, size in _objects(s3, bucket, f"{prefix}{start}") if key.endswith(".jpg")]
            if found:
                size = sum(size for _, size in found)
                return Data(uri=uri, images_uri=f"{uri}{start}", images=len(found), image_bytes=size)
    raise DeploymentError(f"There are no pictures in {uri}images/: put them there with `lesion data upload`.")


def check_bucket(bucket: str, region: str) -> None:
    """Make sure that a bucket is there, open to us, and in the region that its jobs run in.

    Raises:
        DeploymentError: it is not.
    """
    s3 = client("s3", region)
    with told(f"looking for the bucket {bucket}"):
        try:
            answered = s3.head_bucket(Bucket=bucket)
        except s3.exceptions.ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            headers = error.response["ResponseMetadata"].get("HTTPHeaders", {})
            if status == 404:
                raise DeploymentError(f"There is no bucket {bucket}: create it, or name another.") from error
            elsewhere = headers.get("x-amz-bucket-region", region)
            if elsewhere == region:
                raise
        else:
            elsewhere = answered.get("BucketRegion") or region
    if elsewhere != region:
        raise DeploymentError(
            f"The bucket {bucket} is in {elsewhere}, and jobs of this stack run in {region}: a job takes its pictures "
            "from its own region only. Copy them to a bucket there, or name a stack of that region."
        )


def launch(plan: Plan, source: Source) -> str:
    """Start a job, and return its name; if anything fails before SageMaker has taken it, there is no job.

    Raises:
        DeploymentError: S3 or SageMaker refuses.
    """
    s3 = client("s3", plan.region)
    encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": plan.kms_key} if plan.kms_key else {}
    bucket, prefix = S3Uri.parse(plan.source_uri)
    with told(f"uploading the source to {plan.source_uri}"):
        s3.put_object(Bucket=bucket, Key=f"{prefix}{ARCHIVE}", Body=source.archive, **encryption)
    if plan.weights and plan.weights_uri:
        bucket, prefix = S3Uri.parse(plan.weights_uri)
        with told(f"uploading {plan.weights}"):
            s3.upload_file(str(plan.weights), bucket, f"{prefix}{plan.weights.name}", ExtraArgs=encryption)
    _load_sdk()
    import boto3
    from sagemaker.core.resources import TrainingJob

    try:
        with told(f"starting the job {plan.name}"):
            TrainingJob.create(session=boto3.Session(region_name=plan.region), region=plan.region, **request_of(plan))
    except DeploymentError as error:
        if isinstance(error.__cause__, HTTPClientError | ConnectionError):  # it may have come through all the same
            raise DeploymentError(f"{error} `lesion jobs show {plan.name}` tells whether it was started.") from error
        raise
    return plan.name


def request_of(plan: Plan) -> dict[str, Any]:
    """Word a plan as the SDK's `TrainingJob.create` takes it; what AWS refuses to be asked for as null is left out."""
    from sagemaker.core import shapes

    channels = {"code": plan.source_uri, "metadata": f"{plan.data.uri}{METADATA}", "images": plan.data.images_uri}
    if plan.weights_uri:
        channels["weights"] = plan.weights_uri
    request: dict[str, Any] = {
        "training_job_name": plan.name,
        "role_arn": plan.role_arn,
        "hyper_parameters": plan.hyperparameters,
        "algorithm_specification": shapes.AlgorithmSpecification(
            training_image=plan.image,
            training_input_mode="File",
            container_entrypoint=list(ENTRYPOINT),
            metric_definitions=[
                shapes.MetricDefinition(name=name, regex=regex) for name, regex in metric_definitions().items()
            ],
        ),
        "input_data_config": [
            shapes.Channel(
                channel_name=name,
                data_source=shapes.DataSource(
                    s3_data_source=shapes.S3DataSource(
                        s3_data_type="S3Prefix", s3_uri=uri, s3_data_distribution_type="FullyReplicated"
                    )
                ),
                input_mode="File",
            )
            for name, uri in channels.items()
        ],
        "output_data_config": shapes.OutputDataConfig(
            s3_output_path=plan.job_uri.rpartition("/")[0],
            **({"kms_key_id": plan.kms_key} if plan.kms_key else {}),
        ),
        "resource_config": shapes.ResourceConfig(
            instance_type=plan.instance_type,
            instance_count=plan.instances,
            volume_size_in_gb=plan.volume_gb,
            **({"volume_kms_key_id": plan.kms_key} if plan.kms_key else {}),
        ),
        "stopping_condition": shapes.StoppingCondition(
            max_runtime_in_seconds=plan.max_run_s,
            **({"max_wait_time_in_seconds": plan.max_wait_s} if plan.max_wait_s else {}),
        ),
        "enable_managed_spot_training": plan.spot,
        "enable_inter_container_traffic_encryption": plan.instances > 1,
        "tags": [{"key": key, "value": value} for key, value in plan.tags.items()],
    }
    if plan.checkpoints_uri:
        request["checkpoint_config"] = shapes.CheckpointConfig(s3_uri=plan.checkpoints_uri)
    if plan.subnets:
        request["vpc_config"] = shapes.VpcConfig(
            subnets=list(plan.subnets), security_group_ids=list(plan.security_groups)
        )
    return request


def _objects(s3: Any, bucket: str, prefix: str) -> list[tuple[str, int]]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return [(entry["Key"], entry["Size"]) for page in pages for entry in page.get("Contents", [])]


def _load_sdk() -> None:
    """Load the SDK quietly: it logs by its own handler, and its source has escapes that Python warns of."""
    for name in ("sagemaker", "sagemaker.core", "botocore.credentials"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import sagemaker.core.resources  # noqa: F401
    for name in [name for name in logging.root.manager.loggerDict if name.startswith("sagemaker")]:
        logging.getLogger(name).setLevel(logging.ERROR)
