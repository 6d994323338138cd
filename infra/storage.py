"""Three buckets: labelled pictures and batches, models, and access logs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from infra import iam

JOB_RETENTION_DAYS = 365  # of the source, the checkpoints and the output of training jobs


@dataclass(frozen=True, kw_only=True)
class StorageArgs:
    """What the buckets need from the rest of the stack."""

    account: str
    key_arn: pulumi.Input[str]
    protect: bool  # `pulumi destroy` keeps the data
    batch_retention_days: int
    log_retention_days: int


class Storage(pulumi.ComponentResource):
    """The buckets: private, versioned, encrypted, and only over TLS."""

    data: aws.s3.Bucket
    models: aws.s3.Bucket
    access_logs: aws.s3.Bucket
    access_logs_ready: pulumi.Output[str]  # its name, known once AWS's services may write there

    def __init__(self, name: str, args: StorageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("analyzer:foundation:Storage", name, None, opts)
        self._name, self._args = name, args
        # S3 and load balancers write access logs only to a bucket with S3's own key.
        self.access_logs, may_write = self._bucket(
            "access-logs",
            encryption={"sse_algorithm": "AES256"},
            rules=[_expire("old-logs", "", args.log_retention_days)],
            writers=_log_writers(args.account),
        )
        stack_key = {"sse_algorithm": "aws:kms", "kms_master_key_id": args.key_arn}
        self.data, _ = self._bucket(
            "data",
            encryption=stack_key,
            rules=[
                *(_expire(f"old-{kind}", f"{kind}/", args.batch_retention_days) for kind in ("pictures", "answers")),
                _expire("old-jobs", "jobs/", JOB_RETENTION_DAYS),
            ],
        )
        self.models, _ = self._bucket("models", encryption=stack_key, rules=[])
        for kind, bucket in (("data", self.data), ("models", self.models)):
            aws.s3.BucketLogging(
                f"{name}-{kind}",
                bucket=bucket.id,
                target_bucket=self.access_logs.id,
                target_prefix=f"s3/{kind}/",
                opts=pulumi.ResourceOptions(parent=self, depends_on=[may_write]),  # S3 checks the permission at once
            )
        both = pulumi.Output.all(self.access_logs.bucket, may_write.id)
        self.access_logs_ready = both.apply(lambda known: str(known[0]))
        self.register_outputs({"data": self.data.bucket, "models": self.models.bucket})

    def _bucket(
        self,
        kind: str,
        *,
        encryption: Any,
        rules: Sequence[Any],
        writers: Sequence[iam.Statement] = (),
    ) -> tuple[aws.s3.Bucket, aws.s3.BucketPolicy]:
        name, protect = f"{self._name}-{kind}", self._args.protect
        child_options = pulumi.ResourceOptions(parent=self)
        bucket = aws.s3.Bucket(
            name,
            force_destroy=not protect,
            opts=pulumi.ResourceOptions(parent=self, protect=protect, retain_on_delete=protect),
        )
        aws.s3.BucketVersioning(
            name, bucket=bucket.id, versioning_configuration={"status": "Enabled"}, opts=child_options
        )
        aws.s3.BucketServerSideEncryptionConfiguration(
            name,
            bucket=bucket.id,
            rules=[{"apply_server_side_encryption_by_default": encryption, "bucket_key_enabled": True}],
            opts=child_options,
        )
        blocked = aws.s3.BucketPublicAccessBlock(
            name,
            bucket=bucket.id,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=child_options,
        )
        aws.s3.BucketOwnershipControls(
            name, bucket=bucket.id, rule={"object_ownership": "BucketOwnerEnforced"}, opts=child_options
        )
        aws.s3.BucketLifecycleConfiguration(name, bucket=bucket.id, rules=[*rules, _CLEAN_UP], opts=child_options)
        own = [{**writer, "Resource": pulumi.Output.concat(bucket.arn, writer["Resource"])} for writer in writers]
        policy = aws.s3.BucketPolicy(
            name,
            bucket=bucket.id,
            policy=iam.document(_deny_without_tls(bucket.arn), *own),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[blocked]),  # S3 refuses the two at the same time
        )
        return bucket, policy


def _deny_without_tls(bucket_arn: pulumi.Output[str]) -> iam.Statement:
    return {
        "Sid": "DenyWithoutTls",
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Action": "s3:*",
        "Resource": [bucket_arn, pulumi.Output.concat(bucket_arn, "/*")],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def _log_writers(account: str) -> list[iam.Statement]:
    """Let AWS services write this account's access logs: S3, load balancers, and CloudFront through CloudWatch."""
    here = {"Condition": {"StringEquals": {"aws:SourceAccount": account}}}
    return [
        _writer("S3", "logging.s3.amazonaws.com", "/*", here),
        # Load balancers send no source account; the path contains it.
        _writer("LoadBalancer", "logdelivery.elasticloadbalancing.amazonaws.com", f"/balancer/AWSLogs/{account}/*", {}),
        _writer("CloudFront", "delivery.logs.amazonaws.com", "/*", here),
    ]


def _writer(source: str, service: str, path: str, condition: iam.Statement) -> iam.Statement:
    return {
        "Sid": f"{source}Logs",
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "s3:PutObject",
        "Resource": path,
        **condition,
    }


def _expire(rule_id: str, prefix: str, days: int) -> Any:
    return {"id": rule_id, "status": "Enabled", "filter": {"prefix": prefix}, "expiration": {"days": days}}


_CLEAN_UP: Any = {  # old versions and unfinished uploads are invisible, and S3 bills them
    "id": "tidy",
    "status": "Enabled",
    "filter": {"prefix": ""},
    "noncurrent_version_expiration": {"noncurrent_days": 90},
    "abort_incomplete_multipart_upload": {"days_after_initiation": 7},
}
