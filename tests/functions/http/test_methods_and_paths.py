"""HEAD, OPTIONS, slashes, stages and odd queries."""

from typing import Any

import pytest

from contract.api import Prediction, Problem
from functions.classify.handler import Handler
from functions.classify.http.routes import METHODS
from tests.functions.conftest import Ask, LambdaContext, request_event
from tests.odd_pictures import odd_pictures

PICTURE = odd_pictures()["JPEG"].encoded
READ = [path for path, method in METHODS.items() if method == "GET"]


def event(method: str, path: str, stage: str = "$default", **changes: Any) -> dict[str, Any]:
    """An event with this path as it is: a URL parser would change some of them."""
    made = request_event(method, "/", **changes)
    made["requestContext"]["http"]["path"] = path
    made["requestContext"]["stage"] = stage
    return {**made, "rawPath": path}


@pytest.mark.parametrize("path", READ)
def test_head_gets_the_status_and_headers_of_get_and_no_body(ask: Ask, path: str) -> None:
    get, head = ask("GET", path), ask("HEAD", path)
    assert (head["statusCode"], head["body"]) == (200, "")
    assert head["headers"] == {**get["headers"], "Content-Length": str(len(get["body"].encode()))}


def test_head_gets_the_errors_of_get_too(ask: Ask) -> None:
    for path, status in {"/nowhere": 404, "/v1/predictions": 405}.items():
        get, head = ask("GET", path), ask("HEAD", path)
        assert (head["statusCode"], head["body"]) == (get["statusCode"], "") == (status, "")
        assert {**head["headers"], "Content-Length": ""} == {**get["headers"], "Content-Length": ""}


@pytest.mark.parametrize(("path", "method"), METHODS.items())
def test_options_and_a_refusal_name_the_allowed_methods(ask: Ask, path: str, method: str) -> None:
    allowed = "GET, HEAD, OPTIONS" if method == "GET" else "OPTIONS, POST"
    options = ask("OPTIONS", path)
    assert (options["statusCode"], options["headers"]["Allow"], options["body"] or "") == (204, allowed, "")
    for name in {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "BREW"} - {method}:
        refused = ask(name, path)
        assert (refused["statusCode"], refused["headers"]["Allow"]) == (405, allowed)
        assert allowed in Problem.model_validate_json(refused["body"]).detail
        assert refused["headers"]["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("path", "stage"),
    [
        ("/v1/health", "$default"),
        ("/v1/health/", "$default"),
        ("//v1/health", "$default"),
        ("//v1///health//", "$default"),
        ("v1/health", "$default"),
        ("/prod/v1/health", "prod"),
        ("/prod//v1/health/", "prod"),
        ("/v1/health", "prod"),  # through a domain name of one's own
        ("/v1/v1/health", "v1"),
    ],
)
def test_a_path_is_found_with_extra_slashes_and_with_a_stage(handler: Handler, path: str, stage: str) -> None:
    for method, status in {"GET": 200, "HEAD": 200, "OPTIONS": 204, "POST": 405}.items():
        assert handler(event(method, path, stage), LambdaContext())["statusCode"] == status


def test_a_picture_sent_with_a_slash_too_many_is_answered(handler: Handler) -> None:
    for path in ("/v1/predictions/", "//v1/predictions"):
        response = handler(event("POST", path, data=PICTURE), LambdaContext())
        Prediction.model_validate_json(response["body"])


@pytest.mark.parametrize(
    "path", ["", "/", "//", "/prod", "/v1", "/v1/healthy", "/v1/health/x", "/V1/health", "/v1/./health"]
)
def test_other_paths_are_not_found(handler: Handler, path: str) -> None:
    assert handler(event("GET", path), LambdaContext())["statusCode"] == 404


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("explain=true", 200),
        ("explain=false", 200),
        ("", 200),
        ("?", 200),
        ("&&=&;", 200),
        ("Explain=maybe", 200),
        ("unknown=1&unknown=2&%ff=%00", 200),
        ("explain", 400),
        ("explain=", 400),
        ("explain=TRUE", 400),
        ("explain=1", 400),
        ("explain=%20true", 400),
        ("explain=true&explain=false", 400),
        ("explain=1&explain=0", 400),
        ("explain[]=true", 200),  # another name
        ("explain=%ff", 400),
        ("explain=" + "x" * 5000, 400),
    ],
)
def test_an_odd_query_is_ignored_or_refused_in_a_sentence(ask: Ask, query: str, status: int) -> None:
    response = ask("POST", f"/v1/predictions?{query}", data=PICTURE)
    assert response["statusCode"] == status
    if status == 400:
        assert "explain must be true or false" in Problem.model_validate_json(response["body"]).detail
