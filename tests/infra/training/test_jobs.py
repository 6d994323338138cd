"""What training jobs need: the model package group, the log, the network, and the message of a failure."""

import json

from tests.infra.stacks import Program


def test_failed_jobs_of_this_stack_are_reported_with_their_reason(dev: Program) -> None:
    rule = dev.one("cloudwatch/eventRule:EventRule", "lesion-dev-failed").json("eventPattern")
    assert rule["detail"] == {"TrainingJobStatus": ["Failed"], "RoleArn": ["arn:aws:iam:lesion-dev-training"]}
    target = dev.one("cloudwatch/eventTarget:EventTarget", "lesion-dev-failed").inputs
    assert target["arn"] == "arn:aws:sns:lesion-dev-alarms"
    template = json.loads(target["inputTransformer"]["inputTemplate"])
    for name in target["inputTransformer"]["inputPaths"]:
        assert f"<{name}>" in template


def test_job_logs_have_a_retention_time_and_are_encrypted(dev: Program) -> None:
    logs = dev.one("cloudwatch/logGroup:LogGroup", "lesion-dev-jobs").inputs
    assert (logs["name"], logs["retentionInDays"]) == ("/aws/sagemaker/TrainingJobs", 14)
    assert logs["kmsKeyId"] == "arn:aws:kms:lesion-dev"


def test_models_are_registered_in_a_group_of_the_stack(dev: Program, prod: Program) -> None:
    groups = [p.one("sagemaker/modelPackageGroup:ModelPackageGroup").inputs for p in (dev, prod)]
    assert [g["modelPackageGroupName"] for g in groups] == ["lesion-dev", "lesion-prod"]


def test_jobs_in_the_network_reach_only_each_other_and_https(dev: Program, prod: Program) -> None:
    assert not [r for r in dev.of("ec2/securityGroup:SecurityGroup") if "training" in r.name]
    inward = [r for r in prod.of("vpc/securityGroupIngressRule:SecurityGroupIngressRule") if "training" in r.name]
    outward = [r for r in prod.of("vpc/securityGroupEgressRule:SecurityGroupEgressRule") if "training" in r.name]
    own = "lesion-prod-training-id"
    assert [r.inputs["referencedSecurityGroupId"] for r in inward] == [own]
    assert {(r.inputs.get("referencedSecurityGroupId"), r.inputs.get("toPort")) for r in outward} == {
        (own, None),
        (None, 443),
    }
