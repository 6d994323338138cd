"""The HTTP client of the API, against a real server on loopback."""

import socket
import time
from typing import Any

import pytest

from contract.api import ModelDescription
from contract.errors import ModelUnavailableError, TooManyRequestsError, UnreadableImageError
from tests.heic_files import encode_heic
from tests.odd_pictures import plain_picture
from tests.webapp.conftest import Answer, AnswerWith, LoopbackApi, MakePicture, MakePrediction
from webapp.classify_client import MAX_ANSWER_BYTES, ClassifyClient
from webapp.errors import ClassifyError, ClassifyProblemError, ClassifyTimeoutError


@pytest.fixture
def client(api: LoopbackApi) -> ClassifyClient:
    return ClassifyClient(api.url, "none", timeout_s=2)


def test_a_picture_is_sent_as_it_is_and_its_prediction_comes_back(
    api: LoopbackApi, client: ClassifyClient, picture: MakePicture, prediction: MakePrediction
) -> None:
    assert client.predict(picture()) == prediction()
    (asked,) = api.asked
    assert (asked.method, asked.path) == ("POST", "/v1/predictions?explain=true")
    assert asked.body == picture()


@pytest.mark.parametrize(("kind", "content_type"), [("JPEG", "jpeg"), ("PNG", "png"), ("WEBP", "webp")])
def test_the_content_type_comes_from_the_bytes(
    api: LoopbackApi, client: ClassifyClient, picture: MakePicture, kind: str, content_type: str
) -> None:
    client.predict(picture(kind=kind))
    assert api.asked[0].headers["content-type"] == f"image/{content_type}"


def test_the_content_type_of_a_heic_comes_from_the_bytes(api: LoopbackApi, client: ClassifyClient) -> None:
    client.predict(encode_heic(plain_picture()))
    assert api.asked[0].headers["content-type"] == "image/heic"


def test_the_description_of_the_model_is_requested(
    api: LoopbackApi, client: ClassifyClient, model: ModelDescription, answer_with: AnswerWith
) -> None:
    answer_with(model)
    assert client.describe_model() == model
    assert [(asked.method, asked.path) for asked in api.asked] == [("GET", "/v1/model")]


def test_a_path_in_the_address_is_kept(api: LoopbackApi, picture: MakePicture) -> None:
    ClassifyClient(f"{api.url}/stage", "none", timeout_s=2).predict(picture())
    assert api.asked[0].path == "/stage/v1/predictions?explain=true"


def test_requests_share_a_connection(api: LoopbackApi, client: ClassifyClient, picture: MakePicture) -> None:
    for _ in range(3):
        client.predict(picture())
    assert len({asked.connection for asked in api.asked}) == 1


def test_a_refused_picture_is_a_problem_with_its_status_code_and_detail(
    api: LoopbackApi, client: ClassifyClient, picture: MakePicture, answer_with: AnswerWith
) -> None:
    answer_with(UnreadableImageError("It is torn."))
    with pytest.raises(ClassifyProblemError, match="It is torn") as refused:
        client.predict(picture())
    assert (refused.value.problem.status, refused.value.problem.code) == (422, "unreadable_image")
    assert len(api.asked) == 1, "a retry cannot help"


@pytest.mark.parametrize("retry_after", ["0", "1", None])
def test_a_call_to_a_busy_api_is_retried_if_the_wait_is_short(
    api: LoopbackApi,
    client: ClassifyClient,
    picture: MakePicture,
    prediction: MakePrediction,
    answer: type[Answer],
    retry_after: str | None,
) -> None:
    headers = {"Retry-After": retry_after} if retry_after else {}
    good = answer(prediction().model_dump_json().encode())
    api.answers = [answer(b'{"message":"Too Many Requests"}', 429, headers), good]
    started_s = time.monotonic()
    assert client.predict(picture()) == prediction()
    assert len(api.asked) == 2
    assert time.monotonic() - started_s >= float(retry_after or 0.1)


def test_a_long_wait_is_reported_at_once(api: LoopbackApi, picture: MakePicture, answer_with: AnswerWith) -> None:
    answer_with(ModelUnavailableError("No model yet."), headers={"Retry-After": "30"})
    started_s = time.monotonic()
    with pytest.raises(ClassifyProblemError) as refused:
        ClassifyClient(api.url, "none", timeout_s=60).predict(picture())
    assert refused.value.wait_s == 30
    assert len(api.asked) == 1
    assert time.monotonic() - started_s < 1


def test_a_wait_longer_than_the_remaining_time_is_not_started(
    api: LoopbackApi, picture: MakePicture, answer_with: AnswerWith
) -> None:
    answer_with(TooManyRequestsError("Too many."), headers={"Retry-After": "2"})
    with pytest.raises(ClassifyProblemError):
        ClassifyClient(api.url, "none", timeout_s=1).predict(picture())
    assert len(api.asked) == 1


@pytest.mark.parametrize("retry_after", ["Wed, 21 Oct 2015 07:28:00 GMT", "-1", "1e9", "9" * 5000])
def test_an_invalid_retry_after_counts_as_not_given(
    client: ClassifyClient, picture: MakePicture, answer_with: AnswerWith, retry_after: str
) -> None:
    answer_with(TooManyRequestsError("Too many."), headers={"Retry-After": retry_after})
    with pytest.raises(ClassifyProblemError) as refused:
        client.predict(picture())
    assert refused.value.wait_s is None


def test_there_are_at_most_three_tries(
    api: LoopbackApi, client: ClassifyClient, picture: MakePicture, answer_with: AnswerWith
) -> None:
    answer_with(TooManyRequestsError("Too many."), headers={"Retry-After": "0"})
    with pytest.raises(ClassifyProblemError):
        client.predict(picture())
    assert len(api.asked) == 3


def test_a_call_is_retried_after_a_dropped_connection(
    api: LoopbackApi, client: ClassifyClient, picture: MakePicture, prediction: MakePrediction, answer: type[Answer]
) -> None:
    api.answers = [answer(keep=0), answer(prediction().model_dump_json().encode())]
    assert client.predict(picture()) == prediction()


def test_connections_that_keep_dropping_are_an_error(
    api: LoopbackApi, client: ClassifyClient, picture: MakePicture, answer: type[Answer]
) -> None:
    api.answers = [answer(keep=0)]
    with pytest.raises(ClassifyError, match="cannot answer at the moment") as failed:
        client.predict(picture())
    assert failed.value.status == 502
    assert len(api.asked) == 3


def test_a_truncated_answer_is_an_error(
    api: LoopbackApi, client: ClassifyClient, picture: MakePicture, prediction: MakePrediction, answer: type[Answer]
) -> None:
    api.answers = [answer(prediction().model_dump_json().encode(), keep=0.5)]
    with pytest.raises(ClassifyError) as failed:
        client.predict(picture())
    assert failed.value.status == 502


def test_a_refused_connection_is_an_error(picture: MakePicture) -> None:
    with socket.socket() as held:  # bound and not listening: connections to it are refused
        held.bind(("127.0.0.1", 0))
        client = ClassifyClient(f"http://127.0.0.1:{held.getsockname()[1]}", "none", timeout_s=2)
        with pytest.raises(ClassifyError, match="cannot answer at the moment"):
            client.predict(picture())


def test_a_server_without_tls_is_an_error(api: LoopbackApi, picture: MakePicture) -> None:
    client = ClassifyClient(api.url.replace("http:", "https:"), "none", timeout_s=2)
    with pytest.raises(ClassifyError, match="cannot answer at the moment"):
        client.predict(picture())


def test_a_missing_answer_is_a_timeout(api: LoopbackApi, picture: MakePicture, answer: type[Answer]) -> None:
    api.answers = [answer(delay_s=1)]
    started_s = time.monotonic()
    with pytest.raises(ClassifyTimeoutError) as failed:
        ClassifyClient(api.url, "none", timeout_s=0.3).predict(picture())
    assert failed.value.status == 504
    assert time.monotonic() - started_s < 0.9
    assert len(api.asked) == 1, "a picture that takes too long is not sent again"


def test_a_slow_answer_is_a_timeout_too(api: LoopbackApi, picture: MakePicture, answer: type[Answer]) -> None:
    api.answers = [answer(b"{" * 200, trickle_s=0.02)]  # 4 s in all, and never 0.3 s without a byte
    started_s = time.monotonic()
    with pytest.raises(ClassifyTimeoutError):
        ClassifyClient(api.url, "none", timeout_s=0.3).predict(picture())
    assert time.monotonic() - started_s < 2


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>It works!</html>",
        b"null",
        b'{"outcome": "low_risk"}',
        b"\xff\xfe",
        b"[" * 100_000,
        b" " * (MAX_ANSWER_BYTES + 1),
    ],
    ids=["empty", "html", "null", "half", "no text", "deep", "endless"],
)
def test_an_invalid_answer_is_an_error(
    client: ClassifyClient, picture: MakePicture, answer_with: AnswerWith, body: bytes
) -> None:
    answer_with(body)
    with pytest.raises(ClassifyError, match="cannot answer at the moment"):
        client.predict(picture())


@pytest.mark.parametrize(
    "changed",
    [
        {"classes": []},
        {"explanation": {"code": "mel", "grid": []}},
        {"explanation": {"code": "mel", "grid": [[]]}},
        {"explanation": {"code": "mel", "grid": [[0.1, 0.2], [0.3]]}},
    ],
)
def test_a_prediction_that_cannot_be_shown_is_invalid(
    client: ClassifyClient,
    picture: MakePicture,
    prediction: MakePrediction,
    answer_with: AnswerWith,
    changed: dict[str, Any],
) -> None:
    answer_with(prediction(**changed))
    with pytest.raises(ClassifyError, match="cannot answer at the moment"):
        client.predict(picture())


@pytest.mark.parametrize(
    ("status", "error", "answered"),
    [
        (302, ClassifyError, 502),
        (403, ClassifyError, 502),
        (500, ClassifyError, 502),
        (429, ClassifyProblemError, 429),
        (503, ClassifyProblemError, 503),
        (504, ClassifyTimeoutError, 504),
    ],
)
def test_errors_of_api_gateway_itself_are_understood(
    api: LoopbackApi,
    client: ClassifyClient,
    picture: MakePicture,
    answer_with: AnswerWith,
    status: int,
    error: type[ClassifyError],
    answered: int,
) -> None:
    answer_with(b'{"message":"no"}', status=status, headers={"Location": f"{api.url}/elsewhere", "Retry-After": "60"})
    with pytest.raises(error) as failed:
        client.predict(picture())
    problem = getattr(failed.value, "problem", None)
    assert (problem.status if problem else failed.value.status) == answered
    assert len(api.asked) == 1, "neither a redirect nor a second try"


def test_a_problem_that_contradicts_its_status_is_invalid(
    client: ClassifyClient, picture: MakePicture, answer_with: AnswerWith
) -> None:
    answer_with(UnreadableImageError("It is torn."), status=400)
    with pytest.raises(ClassifyError) as failed:
        client.predict(picture())
    assert not isinstance(failed.value, ClassifyProblemError)


def test_after_a_failure_the_next_call_gets_its_own_answer(
    api: LoopbackApi, client: ClassifyClient, picture: MakePicture, prediction: MakePrediction, answer: type[Answer]
) -> None:
    good = answer(prediction(prediction_id="second").model_dump_json().encode())
    api.answers = [answer(b"x" * (MAX_ANSWER_BYTES + 70_000)), good]
    with pytest.raises(ClassifyError):
        client.predict(picture())
    assert client.predict(picture()).prediction_id == "second"
