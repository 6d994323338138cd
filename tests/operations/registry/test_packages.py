"""The registry has each version once, with its origin, its approval and its service."""

import re
import uuid
from datetime import UTC, datetime

import boto3
import pytest

from contract.bundle import Manifest, read_bundle
from contract.errors import DeploymentError
from operations.account import Account
from operations.registry.packages import ModelRegistry
from tests.tiny_bundle import write_tiny_bundle

WHEN = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


@pytest.fixture
def registry(aws_endpoint: str) -> ModelRegistry:
    """A registry with a new model package group."""
    name = f"models-{uuid.uuid4().hex}"
    boto3.client("sagemaker").create_model_package_group(
        ModelPackageGroupName=name, ModelPackageGroupDescription="of a test"
    )
    return ModelRegistry(Account(), name)


@pytest.fixture(scope="module")
def manifests(tmp_path_factory: pytest.TempPathFactory) -> list[Manifest]:
    folder = tmp_path_factory.mktemp("made")
    return [read_bundle(write_tiny_bundle(folder / str(seed), seed=seed)) for seed in range(2)]


def uri_of(manifest: Manifest) -> str:
    return f"s3://models/models/{manifest.version}"


def test_a_registered_version_waits_for_approval_and_has_its_origin(
    registry: ModelRegistry, manifests: list[Manifest]
) -> None:
    arn = registry.register(manifests[0], uri_of(manifests[0]), job="job-1")
    package = registry.find(manifests[0].version)
    assert (package.arn, package.status, package.approval) == (arn, "PendingManualApproval", None)
    assert package.model_uri == uri_of(manifests[0])
    assert package.properties["job"] == "job-1"
    assert package.properties["data_sha256"] == manifests[0].data.sha256
    assert package.properties["balanced_accuracy"] == "0.2000 from 0.1000 to 0.3000"
    kept = boto3.client("sagemaker").describe_model_package(ModelPackageName=arn)
    assert kept["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"] == f"{uri_of(manifests[0])}/manifest.json"
    assert kept["MetadataProperties"] == {"GeneratedBy": "job-1"}


def test_registering_twice_gives_the_same_package(registry: ModelRegistry, manifests: list[Manifest]) -> None:
    first = registry.register(manifests[0], uri_of(manifests[0]))
    assert registry.register(manifests[0], uri_of(manifests[0])) == first
    second = registry.register(manifests[1], uri_of(manifests[1]))
    assert [package.arn for package in registry.packages()] == [second, first]


def test_an_approval_records_who_when_and_why_and_keeps_the_rest(
    registry: ModelRegistry, manifests: list[Manifest]
) -> None:
    registry.register(manifests[0], uri_of(manifests[0]))
    before = registry.find(manifests[0].version)
    why = "worse on the back, (better\neverywhere else)"
    approved = registry.approve(before, by="arn:aws:iam::1:user/ann", at=WHEN, why=why)
    assert approved.status == "Approved"
    assert approved.approval == (
        "Approved by arn:aws:iam::1:user/ann at 2026-03-04 05:06:07 UTC: worse on the back, (better everywhere else)"
    )
    recorded = registry.record(approved, lambda_version="7")
    assert recorded == registry.find(manifests[0].version)
    assert (recorded.status, recorded.approval) == ("Approved", approved.approval)
    assert recorded.properties == {
        **before.properties,
        "approved_by": "arn:aws:iam::1:user/ann",
        "approved_at": "2026-03-04T05:06:07Z",
        "lambda_version": "7",
    }


def test_properties_have_only_characters_that_sagemaker_allows(
    registry: ModelRegistry, manifests: list[Manifest]
) -> None:
    registry.register(manifests[0], uri_of(manifests[0]), job="job, (one) 100%")
    package = registry.record(registry.find(manifests[0].version), why="<b>\N{EM DASH}" + "x" * 300)
    assert package.properties["job"] == "job   one  100 "
    for name, value in package.properties.items():  # as SageMaker's API reference has it; moto does not check
        assert re.fullmatch(r"[\w .:/=+@-]{1,128}", name)
        assert re.fullmatch(r"[\w .:/=+@-]{1,256}", value)


def test_a_unique_part_of_a_name_is_enough(registry: ModelRegistry, manifests: list[Manifest]) -> None:
    for manifest in manifests:
        registry.register(manifest, uri_of(manifest))
    assert registry.find(manifests[1].version[-8:]).version == manifests[1].version
    with pytest.raises(DeploymentError, match=r"can be .* or .*: name one of them in full"):
        registry.find(manifests[0].version[:8])


@pytest.mark.parametrize("version", ["20200101", ""])
def test_an_unknown_version_is_an_error(registry: ModelRegistry, version: str) -> None:
    with pytest.raises(DeploymentError, match=f"There is no model {version} in {registry.group}"):
        registry.find(version)


def test_a_missing_group_is_an_error(aws_endpoint: str, manifests: list[Manifest]) -> None:
    with pytest.raises(DeploymentError, match=r"Registering the model .* failed: .*Group does not exist"):
        ModelRegistry(Account(), "no-such-group").register(manifests[0], uri_of(manifests[0]))
