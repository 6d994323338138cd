"""The routes of the HTTP API, and the one place where an AnalyzerError becomes a response."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError as NoSuchRoute
from pydantic import BaseModel

from contract.api import MAX_BODY_BYTES, PROBLEM_CONTENT_TYPE, Health, Limits, ModelDescription, Problem
from contract.bundle import Manifest
from contract.errors import AnalyzerError, MethodNotAllowedError, NotFoundError
from contract.image import CONTENT_TYPES, MAX_PIXELS, MIN_SIDE_PX
from contract.labels import DISCLAIMER
from functions.classify.answer import Stopwatch, answer_picture
from functions.classify.http.request import read_picture, wants_explanation
from functions.classify.metrics import record_prediction, record_refusal
from functions.classify.model_holder import ModelHolder

PREDICTIONS, MODEL, HEALTH, OPENAPI = "/v1/predictions", "/v1/model", "/v1/health", "/openapi.json"
OPENAPI_FILE = Path(__file__).with_name("openapi.json")  # python -m tests.functions.http.openapi_document
METHODS = {PREDICTIONS: "POST", MODEL: "GET", HEALTH: "GET", OPENAPI: "GET"}


def create_routes(models: ModelHolder, logger: Logger, tracer: Tracer, metrics: Metrics) -> APIGatewayHttpResolver:
    """Make the routes for a model."""
    app = APIGatewayHttpResolver()

    @app.post(PREDICTIONS)
    def predict() -> Response[str]:
        """Classify the picture in the body."""
        stopwatch = Stopwatch()
        event: Mapping[str, Any] = app.current_event.raw_event
        explain, encoded = wants_explanation(event), read_picture(event)
        answer = answer_picture(
            encoded, models.current(), explain=explain, stopwatch=stopwatch, segment=tracer.provider.in_subsegment
        )
        record_prediction(metrics, answer)
        logger.info(
            "predicted",
            extra={"prediction_id": answer.prediction.prediction_id, "model_version": answer.prediction.model_version},
        )
        return _json(answer.prediction)

    @app.get(MODEL)
    def describe_model() -> Response[str]:
        """Describe the model that serves, and the limits of a picture."""
        return _json(_description_of(models.current().manifest))

    @app.get(HEALTH)
    def health() -> Response[str]:
        """Return whether the model is loaded."""
        return _json(Health(status="ok", model_version=models.current().manifest.version))

    @app.get(OPENAPI)
    def openapi() -> Response[str]:
        """Return the OpenAPI document of this API."""
        return Response(200, "application/json", OPENAPI_FILE.read_text())

    @app.not_found
    def no_such_route(_: NoSuchRoute) -> Response[str]:
        """Answer 405 where the path exists with another method, else 404."""
        path = app.current_event.path
        if path in METHODS:
            refusal: AnalyzerError = MethodNotAllowedError(f"{path} allows only {METHODS[path]}.")
            return answer_error(refusal, {"Allow": METHODS[path]})
        return answer_error(NotFoundError("There is no such route: /openapi.json lists all routes."))

    def answer_error(error: AnalyzerError, headers: dict[str, str] | None = None) -> Response[str]:
        """Turn an AnalyzerError into a problem document."""
        logger.warning("request refused", extra={"code": error.code, "status": error.status, "reason": str(error)})
        record_refusal(metrics, error)
        headers = dict(headers or {})
        if error.retry_after_s is not None:
            headers["Retry-After"] = str(error.retry_after_s)
        problem = Problem.of(error, request_id=app.lambda_context.aws_request_id)
        return Response(error.status, PROBLEM_CONTENT_TYPE, problem.model_dump_json(), headers=headers)

    app.exception_handler(AnalyzerError)(answer_error)
    return app


def _description_of(manifest: Manifest) -> ModelDescription:
    return ModelDescription(
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


def _json(message: BaseModel) -> Response[str]:
    return Response(200, "application/json", message.model_dump_json(), headers={"Cache-Control": "no-store"})
