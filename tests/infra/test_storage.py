"""The buckets, the key and the registries."""

import pytest

from tests.infra.stacks import ACCOUNT, Program, deployed

BUCKETS = ("access-logs", "data", "models")


@pytest.mark.parametrize("kind", BUCKETS)
def test_every_bucket_is_private_versioned_and_owned(kind: str, program: Program) -> None:
    (bucket,) = [r for r in program.of("s3/bucket:Bucket") if r.name.endswith(kind)]
    blocked = program.one("s3/bucketPublicAccessBlock:BucketPublicAccessBlock", bucket.name)
    settings = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    assert all(blocked.inputs[setting] is True for setting in settings)
    versioning = program.one("s3/bucketVersioning:BucketVersioning", bucket.name)
    assert versioning.inputs["versioningConfiguration"] == {"status": "Enabled"}
    owned = program.one("s3/bucketOwnershipControls:BucketOwnershipControls", bucket.name)
    assert owned.inputs["rule"] == {"objectOwnership": "BucketOwnerEnforced"}
    for beside in (blocked, versioning, owned):
        assert beside.inputs["bucket"] == f"{bucket.name}-id"


def test_data_and_models_use_the_stacks_key_and_access_logs_the_key_of_s3(dev: Program) -> None:
    used = {
        r.name.removeprefix("lesion-dev-"): r.inputs["rules"][0]["applyServerSideEncryptionByDefault"]
        for r in dev.of("s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration")
    }
    own = {"sseAlgorithm": "aws:kms", "kmsMasterKeyId": "arn:aws:kms:lesion-dev"}
    assert used == {"data": own, "models": own, "access-logs": {"sseAlgorithm": "AES256"}}


@pytest.mark.parametrize("kind", BUCKETS)
def test_requests_without_tls_are_denied(kind: str, dev: Program) -> None:
    first, *_ = dev.one("s3/bucketPolicy:BucketPolicy", f"lesion-dev-{kind}").json("policy")["Statement"]
    arn = f"arn:aws:s3:lesion-dev-{kind}"
    assert first == {
        "Sid": "DenyWithoutTls",
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def test_only_aws_services_write_access_logs_and_only_of_this_account(dev: Program) -> None:
    _, *writers = dev.one("s3/bucketPolicy:BucketPolicy", "lesion-dev-access-logs").json("policy")["Statement"]
    here = {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
    arn = "arn:aws:s3:lesion-dev-access-logs"
    assert {w["Principal"]["Service"]: (w["Resource"], w.get("Condition")) for w in writers} == {
        "logging.s3.amazonaws.com": (f"{arn}/*", here),
        "logdelivery.elasticloadbalancing.amazonaws.com": (f"{arn}/balancer/AWSLogs/{ACCOUNT}/*", None),
        "delivery.logs.amazonaws.com": (f"{arn}/*", here),
    }
    assert {(w["Effect"], w["Action"]) for w in writers} == {("Allow", "s3:PutObject")}
    prefixes = {r.inputs["targetPrefix"] for r in dev.of("s3/bucketLogging:BucketLogging")}
    assert all(prefix.startswith("s3/") for prefix in prefixes)
    assert dev.one("lb/loadBalancer:LoadBalancer").inputs["accessLogs"]["prefix"] == "balancer"
    for kind in ("data", "models"):
        assert len(dev.one("s3/bucketPolicy:BucketPolicy", f"lesion-dev-{kind}").json("policy")["Statement"]) == 1


def test_access_to_data_and_models_is_logged(dev: Program) -> None:
    logged = {r.inputs["bucket"]: r.inputs for r in dev.of("s3/bucketLogging:BucketLogging")}
    assert set(logged) == {"lesion-dev-data-id", "lesion-dev-models-id"}
    assert {inputs["targetBucket"] for inputs in logged.values()} == {"lesion-dev-access-logs-id"}
    assert len({inputs["targetPrefix"] for inputs in logged.values()}) == 2


def test_pictures_and_logs_expire_and_models_do_not() -> None:
    program = deployed("dev", batchRetentionDays="9", logRetentionDays="60")
    expiring: dict[str, dict[str, int]] = {}
    for r in program.of("s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"):
        rules = r.inputs["rules"]
        expiring[r.name.removeprefix("lesion-dev-")] = {
            rule["filter"]["prefix"]: rule["expiration"]["days"] for rule in rules if "expiration" in rule
        }
        assert all(rule["status"] == "Enabled" for rule in rules)
        assert rules[-1]["noncurrentVersionExpiration"] == {"noncurrentDays": 90}
    assert expiring == {
        "data": {"pictures/": 9, "answers/": 9, "jobs/": 365},
        "models": {},
        "access-logs": {"": 60},
    }


def test_the_key_is_rotated_and_only_for_services_of_this_account(dev: Program) -> None:
    key = dev.one("kms/key:Key")
    assert (key.inputs["enableKeyRotation"], key.inputs["deletionWindowInDays"]) == (True, 30)
    root, logs, telling = key.json("policy")["Statement"]
    assert root["Principal"] == {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    assert logs["Principal"]["Service"] == "logs.us-east-1.amazonaws.com"
    assert ACCOUNT in logs["Condition"]["ArnLike"]["kms:EncryptionContext:aws:logs:arn"]
    assert telling["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
    assert telling["Action"] == ["kms:Decrypt", "kms:GenerateDataKey*"]


def test_registries_have_immutable_tags_scan_images_and_let_lambda_pull(dev: Program) -> None:
    repositories = dev.of("ecr/repository:Repository")
    assert {r.name for r in repositories} == {"lesion-dev-classify", "lesion-dev-page"}
    for r in repositories:
        assert r.inputs["imageTagMutability"] == "IMMUTABLE"
        assert r.inputs["imageScanningConfiguration"] == {"scanOnPush": True}
        assert r.inputs["encryptionConfigurations"] == [{"encryptionType": "KMS", "kmsKey": "arn:aws:kms:lesion-dev"}]
        rules = dev.one("ecr/lifecyclePolicy:LifecyclePolicy", r.name).json("policy")["rules"]
        assert [rule["selection"]["tagStatus"] for rule in rules] == ["untagged", "any"]
    (pulls,) = dev.one("ecr/repositoryPolicy:RepositoryPolicy").json("policy")["Statement"]
    assert pulls["Principal"] == {"Service": "lambda.amazonaws.com"}
    assert pulls["Action"] == ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    assert pulls["Condition"]["ArnLike"]["aws:SourceArn"] == f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:*"
