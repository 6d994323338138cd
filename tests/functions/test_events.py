"""Events that are written by hand or sent by other services get a clear answer or a clear error, never a surprise."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contract.api import Health, Problem
from contract.errors import MalformedRequestError
from functions.classify.handler import Handler
from tests.functions.conftest import LambdaContext, request_event

INFERENCE = Path(__file__).parents[2] / "docs/inference.md"

# Events of other services and tools, as far as they matter here.
NOT_OURS: dict[str, Any] = {
    "the console's empty event": {},
    "the console's template hello-world": {"key1": "value1", "key2": "value2", "key3": "value3"},
    "nothing": None,
    "a list": [],
    "a text": "/v1/health",
    "a number": 3,
    "SQS": {"Records": [{"messageId": "1", "eventSource": "aws:sqs", "body": "{}"}]},
    "S3": {"Records": [{"eventSource": "aws:s3", "s3": {"object": {"key": "a.jpg"}}}]},
    "SNS": {"Records": [{"EventSource": "aws:sns", "Sns": {"Message": "x"}}]},
    "an EventBridge schedule, to keep it warm": {
        "source": "aws.events",
        "detail-type": "Scheduled Event",
        "detail": {},
    },
    "a plugin that keeps it warm": {"source": "serverless-plugin-warmup"},
    "a WebSocket API": {"requestContext": {"routeKey": "$connect", "connectionId": "c"}, "isBase64Encoded": False},
    "a request context that is text": {"requestContext": "http"},
    "a request context that is null": {"requestContext": None},
    "the input of the state machine": {"source": {"bucket": "pictures"}, "results": {"bucket": "answers"}},
}

OTHER_HTTP: dict[str, dict[str, Any]] = {
    "a REST API, payload format 1.0": {
        "version": "1.0",
        "httpMethod": "GET",
        "path": "/v1/health",
        "headers": None,
        "requestContext": {"stage": "prod", "identity": {}},
        "body": None,
    },
    "a load balancer": {
        "requestContext": {"elb": {"targetGroupArn": "arn:aws:x"}},
        "httpMethod": "GET",
        "path": "/v1/health",
        "queryStringParameters": {},
        "headers": {},
        "body": "",
        "isBase64Encoded": False,
    },
}

GET_HEALTH: dict[str, Any] = {"requestContext": {"http": {"method": "GET", "path": "/v1/health"}}}


def with_http(**http: Any) -> dict[str, Any]:
    return {"requestContext": {"http": http}}


INCOMPLETE: dict[str, tuple[dict[str, Any], str]] = {
    "no method": (with_http(path="/v1/health"), "requestContext.http.method"),
    "a method that is a number": (with_http(method=1, path="/v1/health"), "requestContext.http.method"),
    "no path": (with_http(method="GET"), "no path"),
    "a path that is a list": (with_http(method="GET", path=[]), "requestContext.http.path"),
    "a null": ({"requestContext": {"http": None}}, "requestContext.http"),
    "a text": ({"requestContext": {"http": "GET /"}}, "requestContext.http"),
    "no context": ({"rawPath": "/v1/health"}, "requestContext"),
    "a null context": ({"rawPath": "/v1/health", "requestContext": None}, "requestContext"),
    "a stage that is a number": ({"requestContext": {**GET_HEALTH["requestContext"], "stage": 1}}, "stage"),
    "a body that is an object": ({**GET_HEALTH, "body": {"image": "x"}}, "body"),
    "headers that are a text": ({**GET_HEALTH, "headers": "a: b"}, "headers"),
    "headers that are a list": ({**GET_HEALTH, "headers": [["a", "b"]]}, "headers"),
    "a header that is a list": ({**GET_HEALTH, "headers": {"a": ["b"]}}, "headers.a"),
    "a query that is a text": ({**GET_HEALTH, "queryStringParameters": "explain=true"}, "queryStringParameters"),
    "a query with a boolean": ({**GET_HEALTH, "queryStringParameters": {"explain": True}}, "queryStringParameters"),
    "isBase64Encoded that is a text": ({**GET_HEALTH, "isBase64Encoded": "base64"}, "isBase64Encoded"),
}


@pytest.mark.parametrize("name", NOT_OURS)
def test_an_event_of_another_kind_is_an_error_that_shows_a_valid_event(handler: Handler, name: str) -> None:
    with pytest.raises(MalformedRequestError, match=r"neither an HTTP request .* nor a batch of pictures") as raised:
        handler(NOT_OURS[name], LambdaContext())
    example = json.loads(str(raised.value).partition("Try ")[2].rstrip("."))
    assert handler(example, LambdaContext())["statusCode"] == 200


@pytest.mark.parametrize("name", OTHER_HTTP)
def test_an_http_request_of_another_format_gets_a_400_that_its_sender_can_read(handler: Handler, name: str) -> None:
    answer = handler(OTHER_HTTP[name], LambdaContext())
    problem = Problem.model_validate_json(answer["body"])
    assert (answer["statusCode"], problem.status, problem.code) == (400, 400, "malformed_request")
    assert "payload format 2.0" in problem.detail
    assert answer["headers"]["Content-Type"] == "application/problem+json"
    assert answer["isBase64Encoded"] is False


@pytest.mark.parametrize("name", INCOMPLETE)
def test_an_incomplete_http_request_gets_a_400_that_names_the_field(handler: Handler, name: str) -> None:
    event, where = INCOMPLETE[name]
    answer = handler(event, LambdaContext())
    problem = Problem.model_validate_json(answer["body"])
    assert (answer["statusCode"], problem.code, problem.request_id) == (
        400, "malformed_request", LambdaContext.aws_request_id,
    )  # fmt: skip
    assert where in problem.detail
    assert problem.detail.endswith(".")


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"version": None},
        {"rawPath": "/v1/health"},
        {"headers": None, "queryStringParameters": None, "body": None, "cookies": None, "isBase64Encoded": None},
        {"headers": {}, "cookies": "text", "stageVariables": [], "pathParameters": 1},
        {"isBase64Encoded": "false", "body": ""},
    ],
)
def test_a_short_event_written_by_hand_is_answered(handler: Handler, changes: dict[str, Any]) -> None:
    answer = handler({**GET_HEALTH, **changes}, LambdaContext())
    assert answer["statusCode"] == 200
    Health.model_validate_json(answer["body"])


def test_the_shortest_event_is_documented() -> None:
    assert json.dumps(GET_HEALTH) in INFERENCE.read_text()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=8), values, max_size=3),
    max_leaves=6,
)
FIELDS = [*request_event("POST", "/"), "Items", "BatchInput", "httpMethod", "queryStringParameters", "cookies"]
event_fields = st.dictionaries(st.sampled_from(FIELDS), json_values, max_size=4)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=300)
@given(
    event=json_values
    | event_fields
    | event_fields.map(lambda changes: {**request_event("POST", "/v1/predictions", data=b"x"), **changes})
    | st.fixed_dictionaries({"Items": json_values, "BatchInput": json_values})
    | st.dictionaries(st.sampled_from(["method", "path"]), json_values).map(lambda http: with_http(**http))
)
def test_any_json_gets_a_4xx_or_a_typed_error(handler: Handler, event: Any) -> None:
    try:
        answer = handler(event, LambdaContext())
    except MalformedRequestError as error:
        assert str(error)  # noqa: PT017 - most events raise, some get an answer
        return
    assert 200 <= answer["statusCode"] < 500
    json.dumps(answer)
