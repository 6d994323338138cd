"""Where the two images are pushed to: the function's and the page's."""

import json
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra import iam

KEPT_IMAGES = 50  # of each; Lambda needs the image of every version that may still be rolled back to
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
    disposable: bool  # images go with the stack


class Registries(pulumi.ComponentResource):
    """Two repositories whose tags never move and whose images are scanned as they arrive."""

    classify: aws.ecr.Repository
    page: aws.ecr.Repository

    def __init__(self, name: str, args: RegistriesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("analyzer:foundation:Registries", name, None, opts)
        inside = pulumi.ResourceOptions(parent=self)
        self.classify = _repository(f"{name}-classify", args, inside)
        self.page = _repository(f"{name}-page", args, inside)
        aws.ecr.RepositoryPolicy(
            f"{name}-classify", repository=self.classify.name, policy=iam.document(_lambda_pulls(args)), opts=inside
        )
        self.register_outputs({"classify": self.classify.repository_url, "page": self.page.repository_url})


def _repository(name: str, args: RegistriesArgs, inside: pulumi.ResourceOptions) -> aws.ecr.Repository:
    repository = aws.ecr.Repository(
        name,
        image_tag_mutability="IMMUTABLE",
        image_scanning_configuration={"scan_on_push": True},
        encryption_configurations=[{"encryption_type": "KMS", "kms_key": args.key_arn}],
        force_delete=args.disposable,
        opts=inside,
    )
    aws.ecr.LifecyclePolicy(name, repository=repository.name, policy=json.dumps(LIFECYCLE), opts=inside)
    return repository


def _lambda_pulls(args: RegistriesArgs) -> iam.Statement:
    """Let functions of this account be made of these images; Lambda would write the same by itself."""
    return {
        "Sid": "FunctionsOfThisAccount",
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
        "Condition": {"ArnLike": {"aws:SourceArn": f"arn:aws:lambda:{args.region}:{args.account}:function:*"}},
    }
