"""Valid and invalid requests, which Schemathesis makes from the OpenAPI document, get documented answers."""

from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)
from werkzeug.wrappers import Request, Response

from functions.classify.handler import Handler
from local.gateway import event_of, response_of
from tests.functions.conftest import LambdaContext

EXAMPLES = 40  # per operation; with a body, as many invalid ones
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
]


def test_requests_generated_from_the_document_get_documented_answers(handler: Handler) -> None:
    @Request.application
    def api(request: Request) -> Response:
        return response_of(handler(event_of(request), LambdaContext()))

    document = schemathesis.openapi.from_wsgi("/openapi.json", api)
    asked: set[tuple[str, str]] = set()
    for result in document.get_all_operations():
        assert isinstance(result, Ok)
        operation = result.ok()
        for mode in schemathesis.GenerationMode if operation.body else [schemathesis.GenerationMode.POSITIVE]:

            @settings(
                max_examples=EXAMPLES,
                deadline=None,
                phases=[Phase.explicit, Phase.generate],
                suppress_health_check=list(HealthCheck),
                database=None,
            )
            @given(case=operation.as_strategy(generation_mode=mode))
            def ask(case: schemathesis.Case[Any]) -> None:
                case.call_and_validate(checks=CHECKS)
                asked.add((case.method, case.path))

            ask()
    assert asked >= {("POST", "/v1/predictions"), ("GET", "/v1/model"), ("GET", "/v1/health")}
