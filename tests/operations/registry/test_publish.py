"""Publishing: a version is complete or absent, and every failure is a sentence."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3
import pytest
import urllib3

from contract.bundle import MANIFEST, MODEL, read_bundle
from contract.errors import BundleError, InvalidUriError, TrainingError
from operations.registry.publish import publish
from tests.tiny_bundle import write_tiny_bundle


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_tiny_bundle(tmp_path / "made")


def keys_in(bucket: str) -> list[str]:
    return [entry["Key"] for entry in boto3.client("s3").list_objects_v2(Bucket=bucket).get("Contents", [])]


def test_a_published_version_has_the_files_of_the_bundle(bundle: Path, bucket: str, tmp_path: Path) -> None:
    uri = publish(bundle, f"s3://{bucket}")

    assert uri == f"s3://{bucket}/models/{bundle.name}"
    for key in keys_in(bucket):
        arrived = tmp_path / key
        arrived.parent.mkdir(parents=True, exist_ok=True)
        boto3.client("s3").download_file(bucket, key, str(arrived))
    assert read_bundle(tmp_path / "models" / bundle.name) == read_bundle(bundle)


def test_publishing_twice_gives_the_same_version(bundle: Path, bucket: str) -> None:
    assert publish(bundle, f"s3://{bucket}/") == publish(bundle, f"s3://{bucket}")
    assert len(keys_in(bucket)) == 3


def test_a_missing_bucket_is_named(bundle: Path, aws_endpoint: str) -> None:
    with pytest.raises(TrainingError, match="There is no bucket no-such-bucket to publish to: create it"):
        publish(bundle, "s3://no-such-bucket")


def test_a_changed_file_is_not_published(bundle: Path, bucket: str) -> None:
    with (bundle / MODEL).open("ab") as opened:
        opened.write(b"!")
    with pytest.raises(BundleError, match=r"model\.onnx is not the file"):
        publish(bundle, f"s3://{bucket}")
    assert keys_in(bucket) == []


@contextmanager
def s3_that_fails_after(moto_url: str, uploads: int) -> Iterator[str]:
    """A proxy in front of S3 that closes the connection of every upload after the first few."""
    upstream = urllib3.PoolManager()
    accepted: list[str] = []
    counting = threading.Lock()

    class Proxy(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def forward(self) -> None:
            if self.headers.get("Expect") == "100-continue":
                self.close_connection = True
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.command == "PUT":
                with counting:
                    if self.path not in accepted:
                        accepted.append(self.path)
                if accepted.index(self.path) >= uploads:
                    self.connection.shutdown(socket.SHUT_RDWR)
                    self.close_connection = True
                    return
            headers = {name: value for name, value in self.headers.items() if name.lower() != "expect"}
            answer = upstream.request(
                self.command, moto_url + self.path, body=body, headers=headers, preload_content=True
            )
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.data)))
            self.end_headers()
            self.wfile.write(answer.data)

        do_GET = do_HEAD = do_PUT = forward  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Write no log."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            serving.join()
            upstream.clear()


@pytest.mark.parametrize("uploads", [0, 1, 2])
def test_an_interrupted_upload_leaves_no_manifest(
    bundle: Path, bucket: str, moto_url: str, uploads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with s3_that_fails_after(moto_url, uploads) as broken_url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", broken_url)
        with pytest.raises(TrainingError, match=f"cannot be published to s3://{bucket}"):
            publish(bundle, f"s3://{bucket}")
        monkeypatch.setenv("AWS_ENDPOINT_URL", moto_url)
    assert len(keys_in(bucket)) == uploads
    assert f"models/{bundle.name}/{MANIFEST}" not in keys_in(bucket)


def test_an_unreachable_endpoint_is_an_error_with_advice(
    bundle: Path, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{unused.getsockname()[1]}")
        with pytest.raises(TrainingError, match=r"Could not connect .* Check the region, the credentials"):
            publish(bundle, f"s3://{bucket}")


def test_missing_credentials_are_an_error(bundle: Path, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    with pytest.raises(TrainingError, match="Unable to locate credentials"):
        publish(bundle, f"s3://{bucket}")


@pytest.mark.parametrize("target", ["bucket", "s3://bucket/folder", "https://example.org", "file://", "C:/x"])
def test_a_target_that_is_not_a_bucket_or_folder_is_refused(bundle: Path, target: str) -> None:
    with pytest.raises(InvalidUriError, match=f"Models cannot be published to {target}: name s3://"):
        publish(bundle, target)


def test_a_target_without_a_bucket_is_refused(bundle: Path) -> None:
    with pytest.raises(InvalidUriError, match="s3:// is not an S3 URI"):
        publish(bundle, "s3://")


def test_a_version_can_be_published_to_a_folder(bundle: Path, tmp_path: Path) -> None:
    models_uri = (tmp_path / "a folder").as_uri()
    uri = publish(bundle, models_uri)
    target = tmp_path / "a folder" / "models" / bundle.name
    assert uri == target.as_uri()
    assert read_bundle(target) == read_bundle(bundle)
    assert publish(bundle, models_uri) == uri
    assert [path.name for path in target.parent.iterdir()] == [bundle.name]


def test_a_folder_without_a_manifest_is_replaced(bundle: Path, tmp_path: Path) -> None:
    target = tmp_path / "models" / bundle.name
    target.mkdir(parents=True)
    (target / MODEL).write_bytes(b"half of a model")
    publish(bundle, tmp_path.as_uri())
    assert read_bundle(target) == read_bundle(bundle)


def test_a_folder_that_cannot_be_written_is_an_error(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(TrainingError, match=r"cannot be published to .*file"):
        publish(bundle, (tmp_path / "file").as_uri())


def test_publishing_loads_no_library_of_training() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", "import json, sys, operations.registry.publish; print(json.dumps(sorted(sys.modules)))"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert not {"tensorflow", "keras", "numpy", "onnxruntime"} & set(json.loads(loaded.stdout))
