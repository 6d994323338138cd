"""Start a planned job: upload its source and weights, and create it at SageMaker.

The SageMaker SDK is loaded only here, and only when a function needs it, because loading it takes seconds.
"""

import logging
import warnings
from typing import Any, Final

from botocore.exceptions import ConnectionError, HTTPClientError

from contract.errors import DeploymentError
from contract.s3_uri import S3Uri
from operations.account import Account
from operations.aws_errors import aws_errors
from operations.container.metrics import metric_definitions
from operations.jobs.plan import ENTRYPOINT, Plan
from operations.jobs.source import ARCHIVE, Source
from training.data.layout import METADATA

TENSORFLOW: Final = "2.21.0"  # of the image; a test holds it equal to the locked version
PYTHON: Final = "py312"  # of the image


def pinned_image(region: str, instance_type: str) -> str:
    """Find the URI of AWS's TensorFlow image for an instance type, with or without a GPU.

    Raises:
        DeploymentError: AWS has no such image for this region or instance type.
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
    except ValueError as error:  # the SDK raises it for an unknown region and for an unknown instance type
        raise DeploymentError(
            f"There is no image of TensorFlow {TENSORFLOW} for {instance_type} in {region}: name another "
            f"--instance-type, for example ml.g5.xlarge. ({str(error).splitlines()[0]})"
        ) from error
    return found


def launch(plan: Plan, source: Source, account: Account) -> str:
    """Start a job.

    Returns:
        its name.

    Raises:
        DeploymentError: S3 or SageMaker refuses; no job was started.
    """
    s3 = account.client("s3")
    encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": plan.kms_key} if plan.kms_key else {}
    bucket, prefix = S3Uri.parse(plan.source_uri)
    with aws_errors(f"uploading the source to {plan.source_uri}"):
        s3.put_object(Bucket=bucket, Key=f"{prefix}{ARCHIVE}", Body=source.archive, **encryption)
    if plan.weights and plan.weights_uri:
        bucket, prefix = S3Uri.parse(plan.weights_uri)
        with aws_errors(f"uploading {plan.weights}"):
            s3.upload_file(str(plan.weights), bucket, f"{prefix}{plan.weights.name}", ExtraArgs=encryption)
    _load_sdk()
    import boto3
    from sagemaker.core.resources import TrainingJob

    try:
        with aws_errors(f"starting the job {plan.name}"):
            TrainingJob.create(
                session=boto3.Session(region_name=plan.region), region=plan.region, **sdk_arguments(plan)
            )
    except DeploymentError as error:
        if isinstance(error.__cause__, HTTPClientError | ConnectionError):  # only the response may be lost
            raise DeploymentError(f"{error} `lesion jobs show {plan.name}` shows whether it was started.") from error
        raise
    return plan.name


def sdk_arguments(plan: Plan) -> dict[str, Any]:
    """Return the arguments of the SDK's `TrainingJob.create`. Options that are None are left out: AWS refuses nulls."""
    from sagemaker.core import shapes

    channels = {"code": plan.source_uri, "metadata": f"{plan.data.uri}{METADATA}", "images": plan.data.images_uri}
    if plan.weights_uri:
        channels["weights"] = plan.weights_uri
    arguments: dict[str, Any] = {
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
        arguments["checkpoint_config"] = shapes.CheckpointConfig(s3_uri=plan.checkpoints_uri)
    if plan.subnets:
        arguments["vpc_config"] = shapes.VpcConfig(
            subnets=list(plan.subnets), security_group_ids=list(plan.security_groups)
        )
    return arguments


def _load_sdk() -> None:
    """Load the SDK without its log lines and without Python's warnings about escapes in its source."""
    for name in ("sagemaker", "sagemaker.core", "botocore.credentials"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import sagemaker.core.resources  # noqa: F401
    for name in [name for name in logging.root.manager.loggerDict if name.startswith("sagemaker")]:
        logging.getLogger(name).setLevel(logging.ERROR)
