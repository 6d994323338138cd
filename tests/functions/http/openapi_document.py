"""The OpenAPI 3.1 document of the API, made from the classes of contract/api.py and contract/errors.py.

`python -m tests.functions.http.openapi_document` writes it to the file that the function serves; the reason is in
docs/decisions/openapi.md.
"""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from contract.api import MAX_BODY_BYTES, PROBLEM_CONTENT_TYPE, Health, ModelDescription, Prediction, Problem
from contract.bundle import LICENCE
from contract.errors import (
    AnalyzerError,
    BundleError,
    MalformedRequestError,
    ModelUnavailableError,
    PayloadTooLargeError,
    TooFewPixelsError,
    TooManyPixelsError,
    UnreadableImageError,
    UnsupportedPictureError,
)
from contract.image import CONTENT_TYPES
from contract.labels import DISCLAIMER
from functions.classify.http.request import PICTURE_FIELD
from functions.classify.http.routes import OPENAPI_FILE
from tests.functions.http import openapi_examples as examples

API_VERSION = "1"
_PICTURE_ERRORS = (
    MalformedRequestError,
    PayloadTooLargeError,
    UnsupportedPictureError,
    UnreadableImageError,
    TooManyPixelsError,
    TooFewPixelsError,
)
_MODEL_ERRORS = (ModelUnavailableError, BundleError)
_RETRY_AFTER = {"description": "seconds after which a retry may help", "schema": {"type": "integer"}}


def document() -> str:
    """Return the document as JSON."""
    models: list[type[BaseModel]] = [Prediction, ModelDescription, Health, Problem]
    _, schemas = models_json_schema(
        [(model, "serialization") for model in models], ref_template="#/components/schemas/{model}"
    )
    schemas["$defs"]["GatewayMessage"] = {
        "type": "object",
        "description": "An answer of API Gateway itself; the function was not called.",
        "properties": {"message": {"type": "string"}},
        "required": ["message"],
    }
    return json.dumps(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "Skin Lesion Analyzer",
                "version": API_VERSION,
                "summary": "Seven calibrated probabilities for a dermatoscopic picture of a skin lesion.",
                "description": (
                    f"{DISCLAIMER} No picture is stored or logged. "
                    "HEAD is answered wherever GET is, and OPTIONS everywhere."
                ),
                "license": {"name": LICENCE},
            },
            "servers": [{"url": "/"}],
            "paths": {
                "/v1/predictions": {"post": _predict()},
                "/v1/model": {
                    "get": {
                        "operationId": "describeModel",
                        "summary": "Describe the model that serves, and the limits of a picture",
                        "responses": _responses(ModelDescription, {"model": examples.MODEL}, *_MODEL_ERRORS),
                    }
                },
                "/v1/health": {
                    "get": {
                        "operationId": "health",
                        "summary": "Tell whether the model is loaded",
                        "responses": _responses(Health, {"healthy": examples.HEALTH}, *_MODEL_ERRORS),
                    }
                },
                "/openapi.json": {
                    "get": {
                        "operationId": "openapi",
                        "summary": "Return this document",
                        "responses": {
                            "200": {
                                "description": "OpenAPI 3.1",
                                "content": {"application/json": {"schema": {"type": "object"}}},
                            },
                            **_throttled(),
                        },
                    }
                },
            },
            "components": {"schemas": schemas["$defs"]},
        },
        indent=1,
    )


def _predict() -> dict[str, Any]:
    binary = {"schema": {"type": "string", "format": "binary", "minLength": 1, "maxLength": MAX_BODY_BYTES}}
    form = {
        "schema": {
            "type": "object",
            "required": [PICTURE_FIELD],
            "properties": {PICTURE_FIELD: binary["schema"]},
        }
    }
    return {
        "operationId": "predict",
        "summary": "Classify one picture",
        "description": (
            "The body is the picture, or a form with the picture in one field. The format is read from the picture's "
            "bytes; the Content-Type only tells whether the body is a form. The file name in a form is ignored. Of an "
            "animation, the first frame is used."
        ),
        "parameters": [
            {
                "name": "explain",
                "in": "query",
                "description": "whether to add the explanation: where in the picture the evidence is",
                "schema": {"type": "boolean", "default": True},
                "example": False,
            }
        ],
        "requestBody": {
            "required": True,
            "content": {
                **dict.fromkeys((*CONTENT_TYPES, "application/octet-stream"), binary),
                "multipart/form-data": form,
            },
        },
        "responses": _responses(
            Prediction,
            {"answered": examples.PREDICTION, "too poor to judge": examples.BLURRED_PREDICTION},
            *_PICTURE_ERRORS,
            *_MODEL_ERRORS,
        ),
    }


def _responses(
    answer: type[BaseModel], answers: Mapping[str, BaseModel], *errors: type[AnalyzerError]
) -> dict[str, Any]:
    schema: dict[str, Any] = {"$ref": f"#/components/schemas/{answer.__name__}"}
    responses: dict[str, Any] = {
        "200": {"description": "The answer", "content": {"application/json": _content(schema, answers)}},
        **_throttled(),
    }
    for status in sorted({error.status for error in errors}):
        of_status = [error for error in errors if error.status == status]
        problem = {
            "allOf": [
                {"$ref": "#/components/schemas/Problem"},
                {"properties": {"code": {"enum": [error.code for error in of_status]}, "status": {"const": status}}},
            ]
        }
        problems = {error.code: examples.example_of(error) for error in of_status}
        responses[str(status)] = {
            "description": " or ".join(error.title for error in of_status),
            "content": {PROBLEM_CONTENT_TYPE: _content(problem, problems)},
        }
        if of_status[0].retry_after_s is not None:
            responses[str(status)]["headers"] = {"Retry-After": _RETRY_AFTER}
    return dict(sorted(responses.items()))


def _throttled() -> dict[str, Any]:
    return {
        "429": {
            "description": "Too many requests at once; API Gateway itself answers this",
            "content": {
                "application/json": {
                    "schema": {"$ref": "#/components/schemas/GatewayMessage"},
                    "examples": {"throttled": {"value": {"message": "Too Many Requests"}}},
                }
            },
        }
    }


def _content(schema: dict[str, Any], named: Mapping[str, BaseModel]) -> dict[str, Any]:
    return {
        "schema": schema,
        "examples": {name: {"value": example.model_dump(mode="json")} for name, example in named.items()},
    }


if __name__ == "__main__":
    OPENAPI_FILE.write_text(f"{document()}\n")
