"""The function's door: an API Gateway event (payload format 2.0) in, a response out."""

import functools
import logging
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError as NoSuchRoute
from pydantic import BaseModel

from contract.api import (
    MAX_BODY_BYTES,
    PROBLEM_CONTENT_TYPE,
    Health,
    Limits,
    ModelDescription,
    Picture,
    Prediction,
    Problem,
    QualityFinding,
    Timing,
)
from contract.errors import AnalyzerError, MethodNotAllowedError, NotFoundError
from contract.image import CONTENT_TYPES, MAX_PIXELS, MIN_SIDE_PX, decode_image
from contract.labels import DISCLAIMER
from contract.quality import assess
from functions.classify import measures, outcome
from functions.classify.classifier import Classifier
from functions.classify.measures import NAMESPACE, SERVICE
from functions.classify.request import picture_of, wants_explanation
from functions.classify.settings import Settings


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one event; what Lambda's runtime client calls."""
    return container_handler()(event, context)


@functools.cache
def container_handler() -> "Handler":
    """Make the handler of this container, once, from its environment."""
    return Handler(Settings.from_env())


class Handler:
    """The routes joined to a model; tests make one with settings of their own."""

    def __init__(self, settings: Settings) -> None:
        """Load nothing yet: `preload` does, or else the first event that needs the model."""
        logger, tracer = Logger(service=SERVICE), Tracer(service=SERVICE)
        logging.getLogger(SERVICE).propagate = False  # else the runtime client, set up later, prints each line again
        metrics = Metrics(namespace=NAMESPACE, service=SERVICE)
        models = ModelHolder(settings, on_load=functools.partial(measures.record_load, metrics, logger))
        app = _routes(models, logger, tracer, metrics)

        @logger.inject_lambda_context(clear_state=True)
        @tracer.capture_lambda_handler(capture_response=False, capture_error=False)
        @metrics.log_metrics(capture_cold_start_metric=True)
        def handle(event: dict[str, Any], context: Any) -> dict[str, Any]:
            measures.record_request(metrics)
            return dict(app.resolve(event, context))

        self._handle, self._models, self._logger = handle, models, logger

    def __call__(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        """Answer one event."""
        return dict(self._handle(event, context))

    def preload(self) -> None:
        """Load the model while Lambda still counts the init phase; the first request says what went wrong."""
        try:
            self._models.current()
        except AnalyzerError as error:
            self._logger.warning("no model at start", extra={"code": error.code, "reason": str(error)})


class ModelHolder:
    """The container's one model: loaded once, and tried again at the next request if that failed."""

    def __init__(self, settings: Settings, on_load: Callable[[Classifier, float], None]) -> None:
        self._settings, self._on_load = settings, on_load
        self._lock = threading.Lock()
        self._classifier: Classifier | None = None

    def current(self) -> Classifier:
        """Return the model, loading it if that has not been done.

        Raises:
            ModelUnavailableError: there is none, or it cannot be fetched or opened.
        """
        with self._lock:
            if self._classifier is None:
                watch = Stopwatch()
                self._classifier = Classifier.load(self._settings)
                self._on_load(self._classifier, watch.total_ms())
            return self._classifier


class Stopwatch:
    """Milliseconds since it was made, or since the last lap."""

    def __init__(self) -> None:
        self._start = self._lap = time.perf_counter()

    def lap_ms(self) -> float:
        """Return the milliseconds since the last lap, and begin another."""
        before, self._lap = self._lap, time.perf_counter()
        return round((self._lap - before) * 1000, 3)

    def total_ms(self) -> float:
        """Return the milliseconds since it was made."""
        return round((time.perf_counter() - self._start) * 1000, 3)


def _routes(models: ModelHolder, logger: Logger, tracer: Tracer, metrics: Metrics) -> APIGatewayHttpResolver:
    app = APIGatewayHttpResolver()
    methods = {"/v1/predictions": "POST", "/v1/model": "GET", "/v1/health": "GET", "/openapi.json": "GET"}

    @app.post("/v1/predictions")
    def predict() -> Response[str]:
        """Answer with the classes of the picture in the body, likeliest first."""
        watch = Stopwatch()
        event: Mapping[str, Any] = app.current_event.raw_event
        explained, encoded = wants_explanation(event), picture_of(event)
        classifier = models.current()
        manifest = classifier.manifest
        watch.lap_ms()
        with tracer.provider.in_subsegment("## decode"):
            decoded = decode_image(encoded, classifier.input_size)
            findings = assess(decoded.pixels, width=decoded.width, height=decoded.height)
        decode_ms = watch.lap_ms()
        with tracer.provider.in_subsegment("## inference"):
            evidence = classifier.predict(decoded.pixels)
        inference_ms = watch.lap_ms()
        classes = outcome.rank_classes(evidence.probabilities, manifest.labels)
        malignant = outcome.malignant_probability(evidence.probabilities, manifest)
        prediction = Prediction(
            prediction_id=str(uuid.uuid4()),
            model_version=manifest.version,
            outcome=outcome.decide(
                classes,
                malignant=malignant,
                unfamiliar_score=evidence.unfamiliar_score,
                findings=findings,
                manifest=manifest,
            ),
            classes=classes,
            malignant_probability=malignant,
            image=Picture(
                width=decoded.width,
                height=decoded.height,
                quality=[QualityFinding(**vars(finding)) for finding in findings],
            ),
            explanation=outcome.explain(evidence.class_map, classes[0].code, manifest.labels) if explained else None,
            timing_ms=Timing(decode=decode_ms, inference=inference_ms, total=watch.total_ms()),
            disclaimer=DISCLAIMER,
        )
        measures.record_prediction(metrics, prediction, evidence.unfamiliar_score)
        logger.info(
            "predicted",
            extra={"prediction_id": prediction.prediction_id, "model_version": manifest.version},
        )
        return _json(prediction)

    @app.get("/v1/model")
    def describe_model() -> Response[str]:
        """Describe the model that serves, and what a picture may be."""
        manifest = models.current().manifest
        return _json(
            ModelDescription(
                version=manifest.version,
                labels=list(manifest.labels),
                input_size_px=manifest.input.size,
                metrics=manifest.metrics,
                operating_points=manifest.operating_points,
                limits=Limits(
                    max_body_bytes=MAX_BODY_BYTES,
                    max_pixels=MAX_PIXELS,
                    min_side_px=MIN_SIDE_PX,
                    content_types=list(CONTENT_TYPES),
                ),
                licence=manifest.licence,
                intended_use=manifest.intended_use,
                disclaimer=DISCLAIMER,
            )
        )

    @app.get("/v1/health")
    def health() -> Response[str]:
        """Tell whether a picture would be answered now."""
        return _json(Health(status="ok", model_version=models.current().manifest.version))

    @app.get("/openapi.json")
    def openapi() -> Response[str]:
        """Describe this API to programs."""
        from functions.classify.openapi import document  # built for those who ask alone

        return Response(200, "application/json", document())

    @app.not_found
    def no_such_route(_: NoSuchRoute) -> Response[str]:
        """Tell a wrong path from a wrong method on a right one."""
        path, method = app.current_event.path, app.current_event.http_method
        if path in methods:
            refusal: AnalyzerError = MethodNotAllowedError(f"{path} takes {methods[path]}, not {method}.")
            return answer_error(refusal, {"Allow": methods[path]})
        return answer_error(NotFoundError("There is no such route; /openapi.json lists those there are."))

    def answer_error(error: AnalyzerError, headers: dict[str, str] | None = None) -> Response[str]:
        """Turn an error of ours into a status and a body: the one place where that is done."""
        logger.warning("request refused", extra={"code": error.code, "status": error.status, "reason": str(error)})
        measures.record_refusal(error)
        headers = dict(headers or {})
        if error.retry_after_s is not None:
            headers["Retry-After"] = str(error.retry_after_s)
        problem = Problem.of(error, request_id=app.lambda_context.aws_request_id)
        return Response(error.status, PROBLEM_CONTENT_TYPE, problem.model_dump_json(), headers=headers)

    app.exception_handler(AnalyzerError)(answer_error)
    return app


def _json(message: BaseModel) -> Response[str]:
    return Response(200, "application/json", message.model_dump_json(), headers={"Cache-Control": "no-store"})
