"""The registry keeps each version once, with where it came from and what became of it."""

import re
import uuid
from datetime import UTC, datetime
from pathlib import Path

import boto3
import pytest

from contract.bundle import Manifest, read_bundle
from contract.errors import DeploymentError
from operations.registry.packages import approve, find_package, list_packages, record, register
from tests.tiny_bundle import write_tiny_bundle

WHEN = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


@pytest.fixture
def group(aws_endpoint: str) -> str:
    """A model package group of the test's own."""
    name = f"models-{uuid.uuid4().hex}"
    boto3.client("sagemaker").create_model_package_group(
        ModelPackageGroupName=name, ModelPackageGroupDescription="of a test"
    )
    return name


@pytest.fixture(scope="module")
def manifests(tmp_path_factory: pytest.TempPathFactory) -> list[Manifest]:
    folder = tmp_path_factory.mktemp("made")
    return [read_bundle(write_tiny_bundle(folder / str(seed), seed=seed)) for seed in range(2)]


def uri_of(manifest: Manifest) -> str:
    return f"s3://models/models/{manifest.version}"


def test_a_version_waits_for_approval_with_where_it_came_from(group: str, manifests: list[Manifest]) -> None:
    arn = register(manifests[0], uri_of(manifests[0]), group=group, job="job-1")
    package = find_package(manifests[0].version, group)
    assert (package.arn, package.status, package.approval) == (arn, "PendingManualApproval", None)
    assert package.model_uri == uri_of(manifests[0])
    assert package.properties["job"] == "job-1"
    assert package.properties["data_sha256"] == manifests[0].data.sha256
    assert package.properties["balanced_accuracy"] == "0.2000 from 0.1000 to 0.3000"
    kept = boto3.client("sagemaker").describe_model_package(ModelPackageName=arn)
    assert kept["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"] == f"{uri_of(manifests[0])}/manifest.json"
    assert kept["MetadataProperties"] == {"GeneratedBy": "job-1"}


def test_registering_twice_gives_the_same_package(group: str, manifests: list[Manifest]) -> None:
    first = register(manifests[0], uri_of(manifests[0]), group=group)
    assert register(manifests[0], uri_of(manifests[0]), group=group) == first
    second = register(manifests[1], uri_of(manifests[1]), group=group)
    assert [package.arn for package in list_packages(group)] == [second, first]


def test_an_approval_keeps_who_when_and_why_and_nothing_is_lost_by_it(group: str, manifests: list[Manifest]) -> None:
    register(manifests[0], uri_of(manifests[0]), group=group)
    before = find_package(manifests[0].version, group)
    why = "worse on the back, (better\neverywhere else)"
    approved = approve(before, by="arn:aws:iam::1:user/ann", at=WHEN, why=why)
    assert approved.status == "Approved"
    assert approved.approval == (
        "Approved by arn:aws:iam::1:user/ann at 2026-03-04 05:06:07 UTC: worse on the back, (better everywhere else)"
    )
    recorded = record(approved, lambda_version="7")
    assert recorded == find_package(manifests[0].version, group)
    assert (recorded.status, recorded.approval) == ("Approved", approved.approval)
    assert recorded.properties == {
        **before.properties,
        "approved_by": "arn:aws:iam::1:user/ann",
        "approved_at": "2026-03-04T05:06:07Z",
        "lambda_version": "7",
    }


def test_what_is_kept_is_what_sagemaker_takes(group: str, manifests: list[Manifest]) -> None:
    register(manifests[0], uri_of(manifests[0]), group=group, job="job, (one) 100%")
    package = record(find_package(manifests[0].version, group), why="<b>\N{EM DASH}" + "x" * 300)
    assert package.properties["job"] == "job   one  100 "
    for name, value in package.properties.items():  # CustomerMetadataKey and CustomerMetadataValue, which moto lets be
        assert re.fullmatch(r"[\w .:/=+@-]{1,128}", name)
        assert re.fullmatch(r"[\w .:/=+@-]{1,256}", value)


def test_part_of_a_name_suffices_where_it_is_no_other(group: str, manifests: list[Manifest]) -> None:
    for manifest in manifests:
        register(manifest, uri_of(manifest), group=group)
    assert find_package(manifests[1].version[-8:], group).version == manifests[1].version
    with pytest.raises(DeploymentError, match=r"may be .* or .*: name one of them in full"):
        find_package(manifests[0].version[:8], group)


@pytest.mark.parametrize("version", ["20200101", ""])
def test_an_unknown_version_is_told(group: str, version: str) -> None:
    with pytest.raises(DeploymentError, match=f"There is no model {version} in {group}"):
        find_package(version, group)


def test_a_group_that_is_not_there_is_told_and_nothing_is_registered(
    aws_endpoint: str, manifests: list[Manifest], tmp_path: Path
) -> None:
    with pytest.raises(DeploymentError, match=r"Registering the model .* failed: .*Group does not exist"):
        register(manifests[0], uri_of(manifests[0]), group="no-such-group")
