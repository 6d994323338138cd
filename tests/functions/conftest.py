"""Fixtures for the tests of the function: a bundle, a handler with it, and events as API Gateway sends them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from functions.classify.handler import Handler
from functions.classify.settings import Settings
from local.gateway import event_of
from tests.tiny_bundle import write_tiny_bundle

Ask = Callable[..., dict[str, Any]]


class LambdaContext:
    """The context object that Lambda's runtime client passes with the event."""

    function_name = "classify"
    function_version = "$LATEST"
    memory_limit_in_mb = 1769
    invoked_function_arn = "arn:aws:lambda:us-east-1:000000000000:function:classify"
    aws_request_id = "11111111-2222-3333-4444-555555555555"


def request_event(method: str, path: str, **request: Any) -> dict[str, Any]:
    """Make the event of an HTTP request; `request` has the arguments of werkzeug's EnvironBuilder."""
    return event_of(Request(EnvironBuilder(path, method=method, **request).get_environ()))


def settings_for(model_uri: str | None, cache: Path, **changes: Any) -> Settings:
    """Make settings without an environment."""
    values = {
        "model_uri": model_uri,
        "model_cache": cache,
        "threads": 1,
        "region": "us-east-1",
        "s3_endpoint_url": None,
    }
    return Settings(**{**values, **changes})


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle whose model has an input of 64 px."""
    return write_tiny_bundle(tmp_path_factory.mktemp("bundle"))


@pytest.fixture(scope="session")
def handler(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Handler:
    """The function's handler with that bundle."""
    return Handler(settings_for(bundle.as_uri(), tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="session")
def ask(handler: Handler) -> Ask:
    """Send an HTTP request to the function and return its response."""

    def ask(method: str, path: str, **request: Any) -> dict[str, Any]:
        return handler(request_event(method, path, **request), LambdaContext())

    return ask
