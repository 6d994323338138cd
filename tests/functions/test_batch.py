"""A batch of pictures in S3: from the event of Step Functions to the rows in S3."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from contract.api import MAX_BODY_BYTES, Prediction
from contract.batch import BatchAnswer, BatchRun, S3Location
from contract.errors import MalformedRequestError, ModelUnavailableError, StorageUnavailableError
from contract.rows import COLUMNS, row_of
from functions.classify.handler import Handler
from tests.functions.conftest import LambdaContext, request_event, settings_for
from tests.functions.embedded_metrics import parse_embedded_metrics
from tests.functions.misbehaving_s3 import misbehaving_s3
from tests.loopback_aws import loopback_aws
from tests.odd_pictures import odd_pictures

SOURCE, RESULTS = "pictures", "answers"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with loopback_aws() as url:
        yield url


@pytest.fixture
def s3(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1")
    for bucket in (SOURCE, RESULTS):
        client.create_bucket(Bucket=bucket)
    return client


@pytest.fixture
def batch_handler(bundle: Path, endpoint: str, tmp_path: Path) -> Handler:
    return Handler(settings_for(bundle.as_uri(), tmp_path, s3_endpoint_url=endpoint))


def batch_event(listed: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    """The event of a distributed map: the fixed input, and some of the listed objects."""
    run = BatchRun(
        source=S3Location(bucket=SOURCE, prefix="in/"), results=S3Location(bucket=RESULTS, prefix="out/today/")
    )
    return {"BatchInput": run.model_dump(), "Items": listed, **changes}


def upload(s3: Any, pictures: dict[str, bytes]) -> list[dict[str, Any]]:
    for name, encoded in pictures.items():
        s3.put_object(Bucket=SOURCE, Key=f"in/{name}", Body=encoded)
    listed: list[dict[str, Any]] = s3.list_objects_v2(Bucket=SOURCE, Prefix="in/")["Contents"]
    chosen = [item for item in listed if item["Key"][3:] in pictures]
    events: list[dict[str, Any]] = json.loads(json.dumps(chosen, default=str))  # dates as text
    return events


def rows_at(s3: Any, key: str) -> list[dict[str, Any]]:
    text = s3.get_object(Bucket=RESULTS, Key=key)["Body"].read().decode()
    return [json.loads(line) for line in text.splitlines()]


def test_each_picture_gets_the_same_result_as_over_http(
    s3: Any, batch_handler: Handler, originals: list[bytes]
) -> None:
    pictures = {f"{number} é+&.jpg": original for number, original in enumerate(originals[:3])}
    answer = BatchAnswer(**batch_handler(batch_event(upload(s3, pictures)), LambdaContext()))
    assert (answer.pictures, answer.refused) == (3, 0)
    assert answer.results_key.startswith("out/today/")
    rows = rows_at(s3, answer.results_key)
    for (name, original), row in zip(pictures.items(), rows, strict=True):
        over_http = batch_handler(request_event("POST", "/v1/predictions", data=original), LambdaContext())
        assert tuple(row) == COLUMNS
        assert row == row_of(f"in/{name}", Prediction.model_validate_json(over_http["body"]))


def test_refused_pictures_get_a_row_with_the_error(
    s3: Any, batch_handler: Handler, originals: list[bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    pictures = {
        "a": originals[0],
        "b": b"no picture",
        "c": odd_pictures()["PNG of 10000 x 5001"].encoded,
        "d": bytes(MAX_BODY_BYTES + 1),
        "e": b"",
    }
    listed = [*upload(s3, pictures), {"Key": "in/gone"}]
    answer = BatchAnswer(**batch_handler(batch_event(listed), LambdaContext()))
    assert (answer.pictures, answer.refused) == (6, 5)
    errors = {row["picture"]: row["error"] for row in rows_at(s3, answer.results_key)}
    assert errors == {
        "in/a": None,
        "in/b": "unsupported_picture",
        "in/c": "too_many_pixels",
        "in/d": "payload_too_large",
        "in/e": "malformed_request",
        "in/gone": "missing_object",
    }
    measured = [m for line in capsys.readouterr().out.splitlines() for m in parse_embedded_metrics(line)]
    counted = {m.name: sum(m.values) for m in measured if m.name in ("Predictions", "Requests")}
    assert counted == {"Predictions": 1, "Requests": 1}
    assert sum(m.name == "Refusals" for m in measured) == 5


def test_a_retried_batch_leaves_one_copy(s3: Any, batch_handler: Handler, originals: list[bytes]) -> None:
    listed = upload(s3, {"again.jpg": originals[0]})
    first = batch_handler(batch_event(listed), LambdaContext())
    second = batch_handler(batch_event(listed), LambdaContext())
    assert first == second
    other = batch_handler(batch_event([*listed, {"Key": "in/more"}]), LambdaContext())
    assert other["results_key"] != first["results_key"]


@pytest.mark.parametrize(
    "changes",
    [
        {"Items": []},
        {"Items": [{"Key": ""}]},
        {"Items": [{"Size": 3}]},
        {"Items": [{"Key": "x"}] * 101},
        {"Items": "x"},
        {"Items": None},
        {"Items": {"Key": "x"}},
        {"Items": ["x"]},
        {"Items": [{"Key": 1}]},
        {"Items": [{"Key": "x\ud800"}]},
        {"BatchInput": None},
        {"BatchInput": []},
        {"BatchInput": {}},
        {"BatchInput": {"source": {"bucket": SOURCE}}},
        {"BatchInput": {"source": SOURCE, "results": RESULTS}},
        {"BatchInput": {"source": {"bucket": SOURCE}, "results": {"bucket": RESULTS}, "more": 1}},
        {"BatchInput": {"source": {"bucket": "../x"}, "results": {"bucket": RESULTS}}},
    ],
    ids=str,
)
def test_an_invalid_batch_is_refused_in_a_sentence(batch_handler: Handler, changes: dict[str, Any]) -> None:
    with pytest.raises(MalformedRequestError, match="The batch is not valid at"):
        batch_handler(batch_event([{"Key": "x"}], **changes), LambdaContext())


@pytest.mark.parametrize("missing", ["Items", "BatchInput"])
def test_a_batch_without_a_part_is_refused_in_a_sentence(batch_handler: Handler, missing: str) -> None:
    event = batch_event([{"Key": "x"}])
    del event[missing]
    with pytest.raises(MalformedRequestError, match=f"The batch is not valid at {missing}: Field required."):
        batch_handler(event, LambdaContext())


def test_without_a_model_the_whole_batch_fails_and_can_be_retried(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailableError):
        Handler(settings_for(None, tmp_path))(batch_event([{"Key": "x"}]), LambdaContext())


@pytest.mark.parametrize("act", ["403 AccessDenied", "503 SlowDown"])
def test_without_s3_the_whole_batch_fails(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with misbehaving_s3({"in/x": b"x"}) as server:
        server.always = act
        handler = Handler(settings_for(bundle.as_uri(), tmp_path, s3_endpoint_url=server.url))
        with pytest.raises(StorageUnavailableError, match=act.split()[0]):
            handler(batch_event([{"Key": "in/x"}]), LambdaContext())
