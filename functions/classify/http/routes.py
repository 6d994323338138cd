"""The routes of the HTTP API, and the one place where an AnalyzerError becomes a response."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError as NoSuchRoute
from pydantic import BaseModel

from contract.api import MAX_BODY_BYTES, PROBLEM_CONTENT_TYPE, Health, Limits, ModelDescription, Problem
from contract.bundle import Manifest
from contract.errors import AnalyzerError, MethodNotAllowedError, NotFoundError
from contract.image import CONTENT_TYPES
from contract.labels import DISCLAIMER
from contract.picture.limits import MAX_PIXELS, MIN_SIDE_PX
from functions.classify.answer import Stopwatch, answer_picture
from functions.classify.http.event import read_event
from functions.classify.http.request import read_picture, wants_explanation
from functions.classify.metrics import record_prediction, record_refusal
from functions.classify.model_holder import ModelHolder

PREDICTIONS, MODEL, HEALTH, OPENAPI = "/v1/predictions", "/v1/model", "/v1/health", "/openapi.json"
OPENAPI_FILE = Path(__file__).with_name("openapi.json")  # python -m tests.functions.http.openapi_document
METHODS = {PREDICTIONS: "POST", MODEL: "GET", HEALTH: "GET", OPENAPI: "GET"}
ALLOW = {"GET": "GET, HEAD, OPTIONS", "POST": "OPTIONS, POST"}  # the Allow header, by the method of the route

HttpAnswerer = Callable[[Mapping[str, Any], Any], dict[str, Any]]  # event and Lambda's context -> result


def create_routes(models: ModelHolder, logger: Logger, tracer: Tracer, metrics: Metrics) -> HttpAnswerer:
    """Make the function that answers the HTTP requests for a model."""
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
        """Answer OPTIONS, and 405 where the path exists with another method, else 404."""
        path = app.current_event.path
        if path not in METHODS:
            return answer_error(NotFoundError("There is no such route: /openapi.json lists all routes."))
        allow = {"Allow": ALLOW[METHODS[path]]}
        if app.current_event.http_method == "OPTIONS":
            return Response(204, headers=allow)
        return answer_error(MethodNotAllowedError(f"{path} allows only {allow['Allow']}."), allow)

    def answer_error(error: AnalyzerError, headers: dict[str, str] | None = None) -> Response[str]:
        """Turn an AnalyzerError into a problem document."""
        status, body, always = refuse(error, app.lambda_context)
        return Response(status, body=body, headers={**always, **(headers or {})})

    app.exception_handler(AnalyzerError)(answer_error)

    def refuse(error: AnalyzerError, context: Any) -> tuple[int, str, dict[str, str]]:
        logger.warning("request refused", extra={"code": error.code, "status": error.status, "reason": str(error)})
        record_refusal(metrics, error)
        headers = {"Content-Type": PROBLEM_CONTENT_TYPE}
        if error.retry_after_s is not None:
            headers["Retry-After"] = str(error.retry_after_s)
        problem = Problem.of(error, request_id=context.aws_request_id)
        return error.status, problem.model_dump_json(), headers

    def answer(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        """Answer one request. HEAD gets the status and the headers of GET (RFC 9110, section 9.3.2)."""
        try:
            request = read_event(event)
        except AnalyzerError as error:
            status, body, headers = refuse(error, context)
            return {"statusCode": status, "headers": headers, "body": body, "isBase64Encoded": False}
        http = request["requestContext"]["http"]
        if http["method"] != "HEAD":
            return dict(app.resolve(request, context))
        http["method"] = "GET"
        result = dict(app.resolve(request, context))
        length = {"Content-Length": str(len(result["body"].encode()))}
        return {**result, "headers": {**result["headers"], **length}, "body": ""}

    return answer


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
