"""The function's door: an event in, a response out.

An event is an HTTP request as API Gateway words it (payload format 2.0), or a batch of pictures in S3 as Step
Functions' distributed map words it.
"""

import functools
import logging
import time
from typing import Any

from aws_lambda_powertools import Logger, Metrics, Tracer

from contract.errors import AnalyzerError, MalformedRequestError
from functions.classify import measures
from functions.classify.holder import Clock, ModelHolder
from functions.classify.http.routes import create_routes
from functions.classify.loading import Loading, load_classifier
from functions.classify.measures import SERVICE
from functions.classify.settings import Settings


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one event; what Lambda's runtime client calls."""
    return container_handler()(event, context)


@functools.cache
def container_handler() -> "Handler":
    """Make the handler of this container, once, from its environment."""
    return Handler(Settings.from_env())


class Handler:
    """What the function does, joined to a model; tests make one with settings of their own."""

    def __init__(self, settings: Settings, *, clock: Clock = time.monotonic) -> None:
        """Load nothing yet: `preload` does, or else the first event that needs the model."""
        logger, tracer = Logger(service=SERVICE), Tracer(service=SERVICE)
        logging.getLogger(SERVICE).propagate = False  # else the runtime client, set up later, prints each line again
        metrics = Metrics(namespace=settings.metrics_namespace, service=SERVICE)
        models = ModelHolder(
            functools.partial(load_classifier, settings),
            on_load=functools.partial(measures.record_load, metrics, logger),
            on_failure=functools.partial(measures.record_load_failure, metrics, logger),
            clock=clock,
        )
        routes = create_routes(models, logger, tracer, metrics)

        @logger.inject_lambda_context(clear_state=True)
        @tracer.capture_lambda_handler(capture_response=False, capture_error=False)
        @metrics.log_metrics(capture_cold_start_metric=True)
        def handle(event: dict[str, Any], context: Any) -> dict[str, Any]:
            measures.record_event(metrics)
            if "Items" in event:
                from functions.classify.batch import classify_batch  # no weight on a container that answers HTTP

                return classify_batch(event, context, settings=settings, models=models, logger=logger, metrics=metrics)
            return dict(routes.resolve(event, context))

        self._handle, self._models = handle, models

    def __call__(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        """Answer one event.

        Raises:
            MalformedRequestError: it is of neither kind. No caller of the HTTP API can bring that about.
            AnalyzerError: a batch could not be answered; Step Functions tries it again.
        """
        if "Items" not in event and "http" not in event.get("requestContext", {}):
            raise MalformedRequestError("The event is neither an HTTP request nor a batch of pictures.")
        return dict(self._handle(event, context))

    def preload(self, loading: Loading | None = None) -> None:
        """Load the model while Lambda still counts the init phase; if that fails, requests say so.

        Args:
            loading: one that is under way, to wait for.
        """
        try:
            self._models.current(loading)
        except AnalyzerError:
            return  # it is in the log already, and the next request tries again
