"""The AWS resources of the local stack, created at moto as the Pulumi program creates them on AWS."""

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import boto3

REGION = "us-east-1"
STACK = "local"
MODELS_BUCKET = "skin-lesion-models"
DATA_BUCKET = "skin-lesion-data"
FUNCTION, ALIAS = "classify", "live"
IMAGE_URI = "000000000000.dkr.ecr.us-east-1.amazonaws.com/classify:local"  # never pulled: this checkout's code runs
MODEL_GROUP = "skin-lesions"
APPLICATION, DEPLOYMENT_GROUP = "classify", "live"
TRUST_POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "*.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def create_storage(aws: "boto3.Session", aws_url: str) -> None:
    """Create the buckets and the model package group."""
    s3 = aws.client("s3", endpoint_url=aws_url)
    for bucket in (MODELS_BUCKET, DATA_BUCKET):
        s3.create_bucket(Bucket=bucket)
    aws.client("sagemaker", endpoint_url=aws_url).create_model_package_group(
        ModelPackageGroupName=MODEL_GROUP, ModelPackageGroupDescription="Classifiers of skin lesions"
    )


def create_function(aws: "boto3.Session", aws_url: str, model_uri: str | None) -> None:
    """Create the Lambda function, its version 1, its alias, and the CodeDeploy application and deployment group."""
    role = _create_role(aws, aws_url)
    functions = aws.client("lambda", endpoint_url=aws_url)
    functions.create_function(
        FunctionName=FUNCTION,
        PackageType="Image",
        Code={"ImageUri": IMAGE_URI},
        Role=role,
        Environment={"Variables": {"MODEL_URI": model_uri or "", "LOG_LEVEL": "INFO"}},
    )
    first = functions.publish_version(FunctionName=FUNCTION)["Version"]
    functions.create_alias(FunctionName=FUNCTION, Name=ALIAS, FunctionVersion=first)
    codedeploy = aws.client("codedeploy", endpoint_url=aws_url)
    codedeploy.create_application(applicationName=APPLICATION, computePlatform="Lambda")
    codedeploy.create_deployment_group(
        applicationName=APPLICATION,
        deploymentGroupName=DEPLOYMENT_GROUP,
        deploymentConfigName="CodeDeployDefault.LambdaCanary10Percent5Minutes",
        serviceRoleArn=role,
    )


def put_deployment_parameter(aws: "boto3.Session", aws_url: str, api_url: str, page_url: str) -> None:
    """Write the stack's deployment parameter to Parameter Store; the command line reads it."""
    deployment: dict[str, Any] = {
        "region": REGION,
        "models_bucket": MODELS_BUCKET,
        "data_bucket": DATA_BUCKET,
        "api_url": api_url,
        "page_url": page_url,
        "function_name": FUNCTION,
        "alias": ALIAS,
        "model_package_group": MODEL_GROUP,
        "training_role_arn": "arn:aws:iam::123456789012:role/training",
        "training_kms_key_arn": None,
        "training_subnets": [],
        "training_security_groups": [],
        "codedeploy_application": APPLICATION,
        "codedeploy_group": DEPLOYMENT_GROUP,
        "batches_state_machine_arn": None,
        "tags": {"project": "skin-lesion-analyzer", "stack": STACK},
    }
    aws.client("ssm", endpoint_url=aws_url).put_parameter(
        Name=f"/skin-lesion-analyzer/{STACK}/deployment", Value=json.dumps(deployment), Type="String", Overwrite=True
    )


def _create_role(aws: "boto3.Session", aws_url: str) -> str:
    iam = aws.client("iam", endpoint_url=aws_url)
    created = iam.create_role(RoleName="classify", AssumeRolePolicyDocument=json.dumps(TRUST_POLICY))
    return str(created["Role"]["Arn"])
