"""The Lambda handler: an event in, a response out.

An event is an HTTP request from API Gateway (payload format 2.0), or a batch of pictures in S3 from the distributed map
of Step Functions. The sender of any other event, such as a queue, treats every returned value as success: so it gets an
exception.
"""

import functools
import logging
import time
from typing import Any

from aws_lambda_powertools import Logger, Metrics, Tracer

from contract.errors import AnalyzerError, MalformedRequestError
from functions.classify.http.event import is_http_event
from functions.classify.http.routes import create_routes
from functions.classify.metrics import SERVICE, record_event, record_load, record_load_failure
from functions.classify.model_holder import Clock, ModelHolder
from functions.classify.model_loader import ModelLoader, load_classifier
from functions.classify.settings import Settings


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one event; Lambda's runtime client calls this."""
    return container_handler()(event, context)


@functools.cache
def container_handler() -> "Handler":
    """Make the handler of this container from its environment, once."""
    return Handler(Settings.from_env())


class Handler:
    """Answers events with a model; tests make one with their own settings."""

    def __init__(self, settings: Settings, *, clock: Clock = time.monotonic) -> None:
        """Load nothing yet: `preload` loads the model, or the first event that needs it."""
        logger, tracer = Logger(service=SERVICE), Tracer(service=SERVICE)
        logging.getLogger(SERVICE).propagate = False  # else the runtime client would print each line a second time
        metrics = Metrics(namespace=settings.metrics_namespace, service=SERVICE)
        models = ModelHolder(
            functools.partial(load_classifier, settings),
            on_load=functools.partial(record_load, metrics, logger),
            on_failure=functools.partial(record_load_failure, metrics, logger),
            clock=clock,
        )
        answer = create_routes(models, logger, tracer, metrics)

        @logger.inject_lambda_context(clear_state=True)
        @tracer.capture_lambda_handler(capture_response=False, capture_error=False)
        @metrics.log_metrics(capture_cold_start_metric=True)
        def handle(event: dict[str, Any], context: Any) -> dict[str, Any]:
            record_event(metrics)
            if _is_batch(event):
                from functions.classify.batch import classify_batch  # not loaded by containers that only answer HTTP

                return classify_batch(event, context, settings=settings, models=models, logger=logger, metrics=metrics)
            return answer(event, context)

        self._handle, self._models = handle, models

    def __call__(self, event: Any, context: Any) -> dict[str, Any]:
        """Answer one event; whatever is wrong with an HTTP request is in the answer.

        Raises:
            MalformedRequestError: it is neither an HTTP request nor a batch, or not a valid batch.
            AnalyzerError: a batch could not be answered; Step Functions retries it.
        """
        if not isinstance(event, dict) or not (_is_batch(event) or is_http_event(event)):
            raise MalformedRequestError(
                "The event is neither an HTTP request (API Gateway, payload format 2.0) nor a batch of pictures "
                '(BatchInput and Items). Try {"requestContext": {"http": {"method": "GET", "path": "/v1/health"}}}.'
            )
        return dict(self._handle(event, context))

    def preload(self, loader: ModelLoader | None = None) -> None:
        """Load the model during the init phase; if that fails, requests get the error.

        Args:
            loader: a running loader to wait for.
        """
        try:
            self._models.current(loader)
        except AnalyzerError:
            return  # it is in the log, and the next request tries again


def _is_batch(event: dict[str, Any]) -> bool:
    return "Items" in event or "BatchInput" in event
