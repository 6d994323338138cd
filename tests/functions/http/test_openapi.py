"""The OpenAPI document is valid OpenAPI 3.1, and every answer follows it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from functions.classify.handler import Handler
from functions.classify.http.routes import METHODS, OPENAPI_FILE
from tests.functions.conftest import Ask, LambdaContext, request_event, settings_for
from tests.functions.http.openapi_document import document
from tests.odd_pictures import odd_pictures

DOCUMENT: dict[str, Any] = json.loads(OPENAPI_FILE.read_text())
OPERATIONS = [(path, method, operation) for path, of in DOCUMENT["paths"].items() for method, operation in of.items()]


def schema_of(response: dict[str, Any], content_type: str) -> OAS31Validator:
    """The validator of one response, which finds references in the document."""
    schema = response["content"][content_type]["schema"]
    return OAS31Validator({**schema, "components": DOCUMENT["components"]})


def examples() -> Iterator[Any]:
    for path, method, operation in OPERATIONS:
        for status, response in operation["responses"].items():
            for content_type, content in response["content"].items():
                for name, example in content.get("examples", {}).items():
                    where = f"{method} {path} {status} {name}"
                    yield pytest.param(response, content_type, example["value"], id=where)


def test_the_file_is_up_to_date() -> None:
    up_to_date = OPENAPI_FILE.read_text() == f"{document()}\n"
    assert up_to_date, "run python -m tests.functions.http.openapi_document"


def test_the_document_is_valid_openapi(ask: Ask) -> None:
    served = ask("GET", "/openapi.json")
    assert json.loads(served["body"]) == DOCUMENT
    assert DOCUMENT["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(DOCUMENT).validate()


def test_the_document_has_every_route_with_its_method_and_every_status() -> None:
    assert {path: method.upper() for path, method, _ in OPERATIONS} == METHODS
    responses = DOCUMENT["paths"]["/v1/predictions"]["post"]["responses"]
    assert set(responses) == {"200", "400", "413", "415", "422", "429", "503"}
    assert "Retry-After" in responses["503"]["headers"]
    for path, method, operation in OPERATIONS:
        assert operation["operationId"], (path, method)
        assert operation["summary"], (path, method)


@pytest.mark.parametrize(("response", "content_type", "example"), list(examples()))
def test_every_example_follows_its_schema(response: dict[str, Any], content_type: str, example: Any) -> None:
    schema_of(response, content_type).validate(example)


def test_every_response_has_an_example_for_each_code() -> None:
    for path, _, operation in OPERATIONS:
        for status, response in operation["responses"].items():
            for content_type, content in response["content"].items():
                if content_type == "application/problem+json":
                    codes = content["schema"]["allOf"][1]["properties"]["code"]["enum"]
                    assert sorted(content["examples"]) == sorted(codes)
                elif path != "/openapi.json" or status == "429":
                    assert content["examples"]


def check_against_document(path: str, method: str, response: dict[str, Any]) -> None:
    described = DOCUMENT["paths"][path][method]["responses"][str(response["statusCode"])]
    schema_of(described, response["headers"]["Content-Type"]).validate(json.loads(response["body"]))
    for name in described.get("headers", {}):
        assert name in response["headers"]


@pytest.mark.parametrize("name", odd_pictures())
def test_the_answer_to_every_odd_picture_follows_the_document(ask: Ask, name: str) -> None:
    check_against_document("/v1/predictions", "post", ask("POST", "/v1/predictions", data=odd_pictures()[name].encoded))


def test_every_other_answer_follows_the_document(ask: Ask, originals: list[bytes], tmp_path: Path) -> None:
    check_against_document("/v1/predictions", "post", ask("POST", "/v1/predictions", data=originals[0]))
    check_against_document("/v1/predictions", "post", ask("POST", "/v1/predictions", data=b"x" * 4_500_001))
    without_model = Handler(settings_for(None, tmp_path))
    for path in ("/v1/model", "/v1/health", "/openapi.json"):
        check_against_document(path, "get", ask("GET", path))
        check_against_document(path, "get", without_model(request_event("GET", path), LambdaContext()))
