"""The S3 client retries temporary failures, reports permanent ones at once, and never returns half an object."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from contract.errors import MissingObjectError, PayloadTooLargeError, StorageUnavailableError
from functions.classify.s3 import ATTEMPTS, S3
from tests.functions.misbehaving_s3 import MisbehavingS3, misbehaving_s3

CONTENT = bytes(range(256)) * 40


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")


@pytest.fixture
def server() -> Iterator[MisbehavingS3]:
    with misbehaving_s3({"a/file": CONTENT}) as server:
        yield server


@pytest.fixture
def s3(server: MisbehavingS3) -> S3:
    return S3(region="us-east-1", endpoint_url=server.url)


@pytest.mark.parametrize(
    "script",
    [
        ["503 SlowDown"],
        ["503 SlowDown", "500 InternalError", "429 TooManyRequests"],
        ["cut"],
        ["reset", "cut", "503 SlowDown"],
    ],
    ids=" ".join,
)
def test_a_temporary_failure_is_retried_until_the_object_is_complete(
    server: MisbehavingS3, s3: S3, tmp_path: Path, script: list[str]
) -> None:
    server.script["file"] = [*script]
    s3.download("bucket", "a/file", tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert server.asked["file"] == len(script) + 1


def test_attempts_are_limited_and_have_jitter(server: MisbehavingS3, s3: S3, tmp_path: Path) -> None:
    server.always = "503 SlowDown"
    with pytest.raises(StorageUnavailableError, match=r"503 \(SlowDown\) when asked for file"):
        s3.download("bucket", "a/file", tmp_path / "file")
    assert server.asked["file"] == ATTEMPTS
    pauses = [after - before for before, after in zip(server.times, server.times[1:], strict=False)]
    assert len({round(pause, 3) for pause in pauses}) > 1  # jitter: no two containers keep step


@pytest.mark.parametrize(
    ("act", "error", "sentence"),
    [
        ("403 AccessDenied", StorageUnavailableError, r"403 \(AccessDenied\)"),
        ("404 NoSuchKey", MissingObjectError, r"404 \(NoSuchKey\)"),
        ("400 ExpiredToken", StorageUnavailableError, r"400 \(ExpiredToken\)"),
        ("301 PermanentRedirect", StorageUnavailableError, r"301 \(PermanentRedirect\)"),
        ("redirect", StorageUnavailableError, "307"),
    ],
)
def test_a_permanent_failure_is_not_retried(
    server: MisbehavingS3, s3: S3, tmp_path: Path, act: str, error: type[Exception], sentence: str
) -> None:
    server.always = act
    with pytest.raises(error, match=sentence):
        s3.download("bucket", "a/file", tmp_path / "file")
    assert server.asked.total() == 1


@pytest.mark.parametrize("act", ["trickle", "503 SlowDown", "cut", "reset"])
def test_nothing_takes_longer_than_the_deadline(server: MisbehavingS3, tmp_path: Path, act: str) -> None:
    server.always = act
    began = time.monotonic()
    with pytest.raises(StorageUnavailableError):
        S3(region="us-east-1", endpoint_url=server.url, deadline_s=0.4).download("bucket", "a/file", tmp_path / "file")
    assert time.monotonic() - began < 5  # far from the 512 s that the trickle takes


def test_an_object_over_the_limit_is_not_read_to_its_end(server: MisbehavingS3, s3: S3) -> None:
    assert s3.read("bucket", "a/file", max_bytes=len(CONTENT)) == CONTENT
    with pytest.raises(PayloadTooLargeError):
        s3.read("bucket", "a/file", max_bytes=len(CONTENT) - 1)
    assert s3.read("bucket", "a/file", max_bytes=len(CONTENT)) == CONTENT


def test_without_credentials_there_is_a_clear_error(
    server: MisbehavingS3, s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(StorageUnavailableError, match="no AWS credentials"):
        s3.read("bucket", "a/file", max_bytes=10)
    assert server.asked.total() == 0
