"""Fetching a bundle from a folder or from S3: it arrives complete, or not at all."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import boto3
import onnx
import pytest

from contract.bundle import MANIFEST, MODEL, REFERENCE, SCHEMA_VERSION, describe_file
from contract.errors import BundleError, ModelUnavailableError
from functions.classify.model_loader import load_classifier
from functions.classify.model_store import fetch_bundle
from functions.classify.settings import Settings
from tests.functions.conftest import settings_for
from tests.functions.misbehaving_s3 import MisbehavingS3, misbehaving_s3
from tests.loopback_aws import loopback_aws
from tests.tiny_bundle import tiny_graph, write_tiny_bundle

BUCKET = "models-bucket"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """The URL of an S3 on this machine."""
    with loopback_aws() as url:
        yield url


@pytest.fixture
def in_s3(endpoint: str, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings that name the bundle in that S3."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    s3 = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1")
    s3.create_bucket(Bucket=BUCKET)
    for file in bundle.iterdir():
        s3.upload_file(str(file), BUCKET, f"models/{bundle.name}/{file.name}")
    return settings_for(f"s3://{BUCKET}/models/{bundle.name}", tmp_path / "cache", s3_endpoint_url=endpoint)


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_bundle_comes_from_s3_byte_for_byte(in_s3: Settings, bundle: Path) -> None:
    folder, manifest = fetch_bundle(in_s3)
    assert manifest.version == bundle.name
    for name in (MANIFEST, MODEL, REFERENCE):
        assert (folder / name).read_bytes() == (bundle / name).read_bytes()
    assert left_in(in_s3.model_cache) == [bundle.name]


def test_a_cached_bundle_is_not_fetched_again(in_s3: Settings) -> None:
    folder, _ = fetch_bundle(in_s3)
    before = (folder / MODEL).stat().st_mtime_ns
    assert fetch_bundle(in_s3)[0] == folder
    assert (folder / MODEL).stat().st_mtime_ns == before


def test_a_cached_file_that_was_damaged_is_fetched_again(in_s3: Settings, bundle: Path) -> None:
    folder, _ = fetch_bundle(in_s3)
    (folder / MODEL).write_bytes(b"damaged")
    folder, _ = fetch_bundle(in_s3)
    assert (folder / MODEL).read_bytes() == (bundle / MODEL).read_bytes()


@pytest.mark.parametrize("name", [MODEL, REFERENCE])
def test_a_file_that_differs_from_the_published_one_is_refused_and_not_kept(
    bundle: Path, tmp_path: Path, name: str
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(bundle, broken)
    (broken / name).write_bytes((broken / name).read_bytes()[:-1] + b"\1")
    settings = settings_for(broken.as_uri(), tmp_path / "cache")
    with pytest.raises(BundleError, match=f"{name} is not the file that its manifest describes"):
        fetch_bundle(settings)
    assert left_in(settings.model_cache) == []


def test_a_model_of_other_labels_is_refused(tmp_path: Path) -> None:
    other = write_tiny_bundle(tmp_path, labels=["daisy", "rose"])
    with pytest.raises(BundleError, match="its labels are daisy, rose"):
        fetch_bundle(settings_for(other.as_uri(), tmp_path / "cache"))


def test_a_file_that_is_not_a_model_is_refused_although_its_hash_is_right(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_bytes(b"this is no ONNX graph")
    reference = write_tiny_bundle(tmp_path / "sound") / REFERENCE
    files = {MODEL: describe_file(text).model_dump(), REFERENCE: describe_file(reference).model_dump()}
    bundle = write_tiny_bundle(tmp_path / "odd", files=files)
    shutil.copy(text, bundle / MODEL)
    shutil.copy(reference, bundle / REFERENCE)
    with pytest.raises(BundleError, match="cannot be opened"):
        load_classifier(settings_for(bundle.as_uri(), tmp_path / "cache"))


@pytest.mark.parametrize(
    ("uri", "sentence"),
    [
        (None, "No model has been deployed yet"),
        ("models/x", "MODEL_URI must be"),
        ("https://example.org/models/x", "MODEL_URI must be"),
        ("s3://bucket", "MODEL_URI must be"),
        ("file:///nowhere/at/all", "There is no manifest.json"),
        (f"s3://{BUCKET}/models/absent", "S3 answered 404"),
    ],
)
def test_a_model_that_cannot_be_fetched_is_a_clear_error(in_s3: Settings, uri: str | None, sentence: str) -> None:
    settings = settings_for(uri, in_s3.model_cache, s3_endpoint_url=in_s3.s3_endpoint_url)
    with pytest.raises(ModelUnavailableError, match=sentence):
        fetch_bundle(settings)


def test_an_s3_that_cannot_be_reached_is_a_clear_error(in_s3: Settings) -> None:
    settings = settings_for(in_s3.model_uri, in_s3.model_cache, s3_endpoint_url="http://127.0.0.1:9")
    with pytest.raises(ModelUnavailableError, match=r"S3 gave no complete answer for manifest\.json"):
        fetch_bundle(settings)


@pytest.fixture
def failing_s3(bundle: Path, in_s3: Settings) -> Iterator[MisbehavingS3]:
    """The same bundle in an S3 with scripted failures."""
    objects = {f"models/{bundle.name}/{file.name}": file.read_bytes() for file in bundle.iterdir()}
    with misbehaving_s3(objects) as server:
        yield server


@pytest.mark.parametrize("name", [MANIFEST, MODEL, REFERENCE])
@pytest.mark.parametrize("act", ["503 SlowDown", "cut", "reset"])
def test_a_model_is_loaded_despite_a_temporary_failure(
    in_s3: Settings, failing_s3: MisbehavingS3, bundle: Path, name: str, act: str
) -> None:
    failing_s3.script[name] = [act]
    classifier = load_classifier(replace(in_s3, s3_endpoint_url=failing_s3.url))
    assert classifier.manifest.version == bundle.name
    assert failing_s3.asked[name] == 2


@pytest.mark.parametrize("name", [MANIFEST, MODEL, REFERENCE])
@pytest.mark.parametrize(
    ("act", "error"),
    [
        ("403 AccessDenied", ModelUnavailableError),
        ("404 NoSuchKey", ModelUnavailableError),
        ("other", BundleError),
    ],
)
def test_an_incomplete_model_leaves_nothing_behind(
    in_s3: Settings, failing_s3: MisbehavingS3, name: str, act: str, error: type[Exception]
) -> None:
    failing_s3.script[name] = [act]
    with pytest.raises(error) as caught:
        load_classifier(replace(in_s3, s3_endpoint_url=failing_s3.url))
    assert str(caught.value).endswith(".")
    assert act == "other" or act.split()[0] in str(caught.value)
    assert left_in(in_s3.model_cache) == []


def test_a_manifest_of_a_newer_schema_is_refused(tmp_path: Path) -> None:
    newer = write_tiny_bundle(tmp_path, schema_version=SCHEMA_VERSION + 1)
    with pytest.raises(BundleError, match="schema_version"):
        fetch_bundle(settings_for(newer.as_uri(), tmp_path / "cache"))


def test_a_disk_that_cannot_be_written_to_is_a_clear_error(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(ModelUnavailableError, match="cannot be stored on this machine"):
        fetch_bundle(settings_for(bundle.as_uri(), tmp_path / "cache"))


def test_a_model_whose_probabilities_do_not_add_up_is_not_served(tmp_path: Path) -> None:
    graph = tiny_graph(64)
    softmax = next(node for node in graph.graph.node if node.op_type == "Softmax")
    softmax.op_type = "Sigmoid"
    del softmax.attribute[:]
    (tmp_path / "made").mkdir()
    onnx.save(graph, tmp_path / "made" / MODEL)
    reference = write_tiny_bundle(tmp_path / "sound") / REFERENCE
    shutil.copy(reference, tmp_path / "made")
    files = {name: describe_file(tmp_path / "made" / name).model_dump() for name in (MODEL, REFERENCE)}
    bundle = write_tiny_bundle(tmp_path / "odd", files=files)
    for name in files:
        shutil.copy(tmp_path / "made" / name, bundle)
    with pytest.raises(BundleError, match="add up to 1"):
        load_classifier(settings_for(bundle.as_uri(), tmp_path / "cache"))


def test_settings_come_from_the_environment() -> None:
    given = {
        "MODEL_URI": "s3://b/models/v",
        "MODEL_CACHE": "/somewhere",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "3600",
        "AWS_REGION": "eu-west-1",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    }
    assert Settings.from_env(given) == settings_for(
        "s3://b/models/v", Path("/somewhere"), threads=2, region="eu-west-1", s3_endpoint_url="http://127.0.0.1:1"
    )
    assert Settings.from_env({"MODEL_URI": ""}).model_uri is None
    assert Settings.from_env({"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128"}).threads == 1
