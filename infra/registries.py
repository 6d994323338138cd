"""The registries of the two images: the function's and the page's."""

import json
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra import iam

KEPT_IMAGES = 50  # in each; a rollback needs the image of the older version
LIFECYCLE = {
    "rules": [
        {
            "rulePriority": 1,
            "description": "untagged images, after a week",
            "selection": {
                "tagStatus": "untagged",
                "countType": "sinceImagePushed",
                "countUnit": "days",
                "countNumber": 7,
            },
            "action": {"type": "expire"},
        },
        {
            "rulePriority": 2,
            "description": f"all but the newest {KEPT_IMAGES}",
            "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": KEPT_IMAGES},
            "action": {"type": "expire"},
        },
    ]
}


@dataclass(frozen=True, kw_only=True)
class RegistriesArgs:
    """What the registries need from the rest of the stack."""

    account: str
    region: str
    key_arn: pulumi.Input[str]
    disposable: bool  # `pulumi destroy` deletes the images too


class Registries(pulumi.ComponentResource):
    """Two repositories with immutable tags; every image is scanned when it is pushed."""

    classify: aws.ecr.Repository
    page: aws.ecr.Repository

    def __init__(self, name: str, args: RegistriesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("analyzer:foundation:Registries", name, None, opts)
        child_options = pulumi.ResourceOptions(parent=self)
        self.classify = _repository(f"{name}-classify", args, child_options)
        self.page = _repository(f"{name}-page", args, child_options)
        aws.ecr.RepositoryPolicy(
            f"{name}-classify",
            repository=self.classify.name,
            policy=iam.document(_lambda_pulls(args)),
            opts=child_options,
        )
        self.register_outputs({"classify": self.classify.repository_url, "page": self.page.repository_url})


def _repository(name: str, args: RegistriesArgs, child_options: pulumi.ResourceOptions) -> aws.ecr.Repository:
    repository = aws.ecr.Repository(
        name,
        image_tag_mutability="IMMUTABLE",
        image_scanning_configuration={"scan_on_push": True},
        encryption_configurations=[{"encryption_type": "KMS", "kms_key": args.key_arn}],
        force_delete=args.disposable,
        opts=child_options,
    )
    aws.ecr.LifecyclePolicy(name, repository=repository.name, policy=json.dumps(LIFECYCLE), opts=child_options)
    return repository


def _lambda_pulls(args: RegistriesArgs) -> iam.Statement:
    """Let Lambda functions of this account use the image; Lambda would add the same statement itself."""
    return {
        "Sid": "LambdaPull",
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
        "Condition": {"ArnLike": {"aws:SourceArn": f"arn:aws:lambda:{args.region}:{args.account}:function:*"}},
    }
