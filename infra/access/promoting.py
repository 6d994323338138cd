"""What the workflows that train and promote may do: start jobs, read models, shift the function's alias."""

from collections.abc import Sequence

import pulumi

from infra import iam


def statements(
    stack: str,
    account: str,
    region: str,
    *,
    key_arn: pulumi.Input[str],
    training_role_arn: pulumi.Input[str],
    models_bucket_arn: pulumi.Input[str],
    data_bucket_arn: pulumi.Input[str],
) -> Sequence[iam.Statement]:
    """Write what `lesion retrain`, `lesion jobs` and `lesion models` call."""
    name, concat = f"lesion-{stack}", pulumi.Output.concat

    def at(service: str, resource: str) -> str:
        return f"arn:aws:{service}:{region}:{account}:{resource}"

    to_sagemaker = {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}
    models, data = models_bucket_arn, data_bucket_arn
    packages = [at("sagemaker", f"model-package-group/{name}"), at("sagemaker", f"model-package/{name}/*")]
    function = [at("lambda", f"function:{name}-*")]
    canary = [at("codedeploy", f"{kind}:{name}-*") for kind in ("application", "deploymentgroup")]
    return [
        iam.allow("FindTheStack", ["ssm:GetParameter"], [at("ssm", f"parameter/skin-lesion-analyzer/{stack}/*")]),
        iam.allow("ListBuckets", ["s3:ListBucket", "s3:GetBucketLocation"], [models, data]),
        iam.allow("ReadBoth", ["s3:GetObject"], [concat(models, "/*"), concat(data, "/*")]),
        iam.deny("ButNobodysBatches", ["s3:GetObject"], [concat(data, "/pictures/*"), concat(data, "/answers/*")]),
        iam.allow("SendTheSource", ["s3:PutObject", "s3:DeleteObject"], [concat(data, "/jobs/*")]),
        iam.allow("TakeTurns", ["s3:PutObject"], [concat(models, "/locks/*")]),
        iam.allow("UseTheKey", ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:DescribeKey"], [key_arn]),
        iam.allow("GrantTheKeyToJobs", ["kms:CreateGrant"], [key_arn], {"Bool": {"kms:GrantIsForAWSResource": "true"}}),
        iam.allow(
            "Train",
            [
                "sagemaker:AddTags",
                "sagemaker:CreateTrainingJob",
                "sagemaker:DescribeTrainingJob",
                "sagemaker:StopTrainingJob",
            ],
            [at("sagemaker", "training-job/*")],
        ),
        iam.allow("ListJobsAndModels", ["sagemaker:ListTrainingJobs", "sagemaker:ListModelPackages"], ["*"]),
        iam.allow("AsTheTrainingRole", ["iam:PassRole"], [training_role_arn], to_sagemaker),
        iam.allow(
            "ReadJobLogs",
            ["logs:DescribeLogStreams", "logs:FilterLogEvents", "logs:GetLogEvents"],
            [
                at("logs", "log-group:/aws/sagemaker/TrainingJobs"),
                at("logs", "log-group:/aws/sagemaker/TrainingJobs:*"),
            ],
        ),
        iam.allow(
            "KeepModels",
            [
                "sagemaker:CreateModelPackage",
                "sagemaker:DescribeModelPackage",
                "sagemaker:DescribeModelPackageGroup",
                "sagemaker:UpdateModelPackage",
            ],
            packages,
        ),
        iam.allow(
            "SetTheModel",
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
            "ShiftByCanary",
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
        iam.allow("KnowTheCanary", ["codedeploy:GetDeploymentConfig"], [at("codedeploy", "deploymentconfig:*")]),
        iam.allow("WatchAlarms", ["cloudwatch:DescribeAlarms"], ["*"]),
        iam.allow("AskTheApi", ["execute-api:Invoke"], [at("execute-api", "*/$default/*/v1/*")]),
    ]
