"""The OpenAPI document of the API, made from the same classes that the answers are made of."""

import json
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from contract.api import PROBLEM_CONTENT_TYPE, Health, ModelDescription, Prediction, Problem
from contract.errors import (
    AnalyzerError,
    MalformedRequestError,
    ModelUnavailableError,
    PayloadTooLargeError,
    TooFewPixelsError,
    TooManyPixelsError,
    TooManyRequestsError,
    UnreadableImageError,
    UnsupportedPictureError,
)
from contract.image import CONTENT_TYPES
from functions.classify.http.request import PICTURE_FIELD

API_VERSION = "1"
_PICTURE_ERRORS = (
    MalformedRequestError,
    PayloadTooLargeError,
    UnsupportedPictureError,
    UnreadableImageError,
    TooManyPixelsError,
    TooFewPixelsError,
)
_SERVICE_ERRORS = (TooManyRequestsError, ModelUnavailableError)


def document() -> str:
    """Write the document as JSON, OpenAPI 3.1."""
    models: list[type[BaseModel]] = [Prediction, ModelDescription, Health, Problem]
    _, schemas = models_json_schema(
        [(model, "serialization") for model in models], ref_template="#/components/schemas/{model}"
    )
    binary = {"schema": {"type": "string", "format": "binary"}}
    form = {
        "schema": {
            "type": "object",
            "required": [PICTURE_FIELD],
            "properties": {PICTURE_FIELD: {"type": "string", "format": "binary"}},
        }
    }
    predict = {
        "operationId": "predict",
        "summary": "Classify one picture",
        "parameters": [
            {
                "name": "explain",
                "in": "query",
                "description": "whether to say where in the picture the evidence lies",
                "schema": {"type": "boolean", "default": True},
            }
        ],
        "requestBody": {
            "required": True,
            "content": {**dict.fromkeys(CONTENT_TYPES, binary), "multipart/form-data": form},
        },
        "responses": _responses(Prediction, *_PICTURE_ERRORS, *_SERVICE_ERRORS),
    }
    paths = {
        "/v1/predictions": {"post": predict},
        "/v1/model": {
            "get": {
                "operationId": "describeModel",
                "summary": "Describe the model that serves",
                "responses": _responses(ModelDescription, *_SERVICE_ERRORS),
            }
        },
        "/v1/health": {
            "get": {
                "operationId": "health",
                "summary": "Tell whether a picture would be answered now",
                "responses": _responses(Health, *_SERVICE_ERRORS),
            }
        },
    }
    return json.dumps(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "Skin Lesion Analyzer",
                "version": API_VERSION,
                "description": "Research software: never a diagnosis.",
            },
            "paths": paths,
            "components": {"schemas": schemas["$defs"]},
        }
    )


def _responses(answer: type[BaseModel], *errors: type[AnalyzerError]) -> dict[str, Any]:
    responses: dict[str, Any] = {"200": _response("The answer", "application/json", answer)}
    for status in sorted({error.status for error in errors}):
        titles = " or ".join(error.title for error in errors if error.status == status)
        responses[str(status)] = _response(titles, PROBLEM_CONTENT_TYPE, Problem)
    return responses


def _response(description: str, content_type: str, model: type[BaseModel]) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"description": description, "content": {content_type: {"schema": schema}}}
