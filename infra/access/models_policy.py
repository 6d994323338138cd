"""The permissions of the workflows that train and promote: start jobs, read models, move the function's alias."""

from collections.abc import Sequence

import pulumi

from infra import iam


def models_statements(
    stack: str,
    account: str,
    region: str,
    *,
    key_arn: pulumi.Input[str],
    training_role_arn: pulumi.Input[str],
    models_bucket_arn: pulumi.Input[str],
    data_bucket_arn: pulumi.Input[str],
) -> Sequence[iam.Statement]:
    """Write the statements that `lesion retrain`, `lesion jobs` and `lesion models` need."""
    name, concat = f"lesion-{stack}", pulumi.Output.concat

    def at(service: str, resource: str) -> str:
        return f"arn:aws:{service}:{region}:{account}:{resource}"

    to_sagemaker = {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}
    models, data = models_bucket_arn, data_bucket_arn
    packages = [at("sagemaker", f"model-package-group/{name}"), at("sagemaker", f"model-package/{name}/*")]
    function = [at("lambda", f"function:{name}-*")]
    canary = [at("codedeploy", f"{kind}:{name}-*") for kind in ("application", "deploymentgroup")]
    return [
        iam.allow(
            "ReadDeploymentParameter", ["ssm:GetParameter"], [at("ssm", f"parameter/skin-lesion-analyzer/{stack}/*")]
        ),
        iam.allow("ListBuckets", ["s3:ListBucket", "s3:GetBucketLocation"], [models, data]),
        iam.allow("ReadModelsAndData", ["s3:GetObject"], [concat(models, "/*"), concat(data, "/*")]),
        iam.deny("DenyBatchData", ["s3:GetObject"], [concat(data, "/pictures/*"), concat(data, "/answers/*")]),
        iam.allow("WriteJobSource", ["s3:PutObject", "s3:DeleteObject"], [concat(data, "/jobs/*")]),
        iam.allow("WriteLocks", ["s3:PutObject"], [concat(models, "/locks/*")]),
        iam.allow("UseKey", ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:DescribeKey"], [key_arn]),
        iam.allow("GrantKeyToJobs", ["kms:CreateGrant"], [key_arn], {"Bool": {"kms:GrantIsForAWSResource": "true"}}),
        iam.allow(
            "ManageTrainingJobs",
            [
                "sagemaker:AddTags",
                "sagemaker:CreateTrainingJob",
                "sagemaker:DescribeTrainingJob",
                "sagemaker:StopTrainingJob",
            ],
            [at("sagemaker", "training-job/*")],
        ),
        iam.allow("ListJobsAndModels", ["sagemaker:ListTrainingJobs", "sagemaker:ListModelPackages"], ["*"]),
        iam.allow("PassTrainingRole", ["iam:PassRole"], [training_role_arn], to_sagemaker),
        iam.allow(
            "ReadJobLogs",
            ["logs:DescribeLogStreams", "logs:FilterLogEvents", "logs:GetLogEvents"],
            [
                at("logs", "log-group:/aws/sagemaker/TrainingJobs"),
                at("logs", "log-group:/aws/sagemaker/TrainingJobs:*"),
            ],
        ),
        iam.allow(
            "RegisterModels",
            [
                "sagemaker:CreateModelPackage",
                "sagemaker:DescribeModelPackage",
                "sagemaker:DescribeModelPackageGroup",
                "sagemaker:UpdateModelPackage",
            ],
            packages,
        ),
        iam.allow(
            "UpdateFunction",
            [
                "lambda:GetAlias",
                "lambda:GetFunction",
                "lambda:GetFunctionConfiguration",
                "lambda:InvokeFunction",
                "lambda:ListVersionsByFunction",
                "lambda:PublishVersion",
                "lambda:UpdateAlias",
                "lambda:UpdateFunctionConfiguration",
            ],
            [*function, f"{function[0]}:*"],
        ),
        iam.allow(
            "ManageDeployments",
            [
                "codedeploy:BatchGetDeployments",
                "codedeploy:CreateDeployment",
                "codedeploy:GetApplication",
                "codedeploy:GetApplicationRevision",
                "codedeploy:GetDeployment",
                "codedeploy:GetDeploymentGroup",
                "codedeploy:ListDeployments",
                "codedeploy:RegisterApplicationRevision",
                "codedeploy:StopDeployment",
            ],
            canary,
        ),
        iam.allow(
            "ReadDeploymentConfigs", ["codedeploy:GetDeploymentConfig"], [at("codedeploy", "deploymentconfig:*")]
        ),
        iam.allow("ReadAlarms", ["cloudwatch:DescribeAlarms"], ["*"]),
        iam.allow("InvokeApi", ["execute-api:Invoke"], [at("execute-api", "*/$default/*/v1/*")]),
    ]
