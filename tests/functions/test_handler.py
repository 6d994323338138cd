"""The handler: an event in, a response out."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from contract.api import MAX_BODY_BYTES, Health, ModelDescription, Prediction, Problem
from contract.bundle import MODEL
from contract.image import decode_image
from contract.labels import CODES, DISCLAIMER
from contract.onnx_runtime import open_session
from functions.classify.handler import Handler
from functions.classify.model_holder import FIRST_PAUSE_S
from tests.functions.conftest import Ask, LambdaContext, request_event, settings_for
from tests.odd_pictures import odd_pictures
from tests.tiny_bundle import write_tiny_bundle

PREDICTIONS = "/v1/predictions"


def problem_of(response: dict[str, Any], status: int, code: str) -> Problem:
    """Check that a response is this problem, and parse it."""
    problem = Problem.model_validate_json(response["body"])
    assert (response["statusCode"], problem.status, problem.code) == (status, status, code)
    assert response["headers"]["Content-Type"] == "application/problem+json"
    assert problem.request_id == LambdaContext.aws_request_id
    return problem


def answer_of(response: dict[str, Any]) -> Prediction:
    """Check that a response is a prediction, and parse it."""
    assert response["statusCode"] == 200, response["body"]
    assert response["headers"]["Content-Type"] == "application/json"
    return Prediction.model_validate_json(response["body"])


def test_a_picture_gets_the_output_of_the_model(ask: Ask, bundle: Path, originals: list[bytes]) -> None:
    answer = answer_of(ask("POST", PREDICTIONS, data=originals[0], content_type="image/jpeg"))

    session = open_session(bundle / MODEL)
    pixels = decode_image(originals[0], 64).pixels[np.newaxis]
    probabilities, class_map = session.run(["probabilities", "class_map"], {"pixels": pixels})
    said = {item.code: item.probability for item in answer.classes}
    assert said == pytest.approx(dict(zip(CODES, probabilities[0].tolist(), strict=True)), abs=1e-5)
    assert sum(said.values()) == pytest.approx(1, abs=1e-5)
    assert [item.probability for item in answer.classes] == sorted(said.values(), reverse=True)
    assert answer.malignant_probability == pytest.approx(said["akiec"] + said["bcc"] + said["mel"], abs=1e-5)
    assert (answer.image.width, answer.image.height) == Image.open(io.BytesIO(originals[0])).size
    assert answer.model_version == bundle.name
    assert answer.disclaimer == DISCLAIMER
    assert answer.explanation is not None
    assert answer.explanation.code == answer.classes[0].code
    leading = np.maximum(class_map[0][CODES.index(answer.classes[0].code)], 0)
    assert np.array(answer.explanation.grid) == pytest.approx(leading / leading.max(), abs=1e-3)


def test_a_form_and_a_bare_body_get_the_same_answer(ask: Ask, originals: list[bytes]) -> None:
    bare = answer_of(ask("POST", PREDICTIONS, data=originals[0], content_type="image/jpeg"))
    form = answer_of(ask("POST", PREDICTIONS, data={"image": (io.BytesIO(originals[0]), "a.gif", "image/gif")}))
    assert form.classes == bare.classes


def test_the_explanation_can_be_left_out(ask: Ask, originals: list[bytes]) -> None:
    assert answer_of(ask("POST", PREDICTIONS + "?explain=false", data=originals[0])).explanation is None
    assert answer_of(ask("POST", PREDICTIONS + "?explain=true", data=originals[0])).explanation is not None
    problem_of(ask("POST", PREDICTIONS + "?explain=maybe", data=originals[0]), 400, "malformed_request")


@pytest.mark.parametrize("name", odd_pictures())
def test_every_odd_picture_gets_its_status(ask: Ask, name: str) -> None:
    encoded, status, code = odd_pictures()[name]
    response = ask("POST", PREDICTIONS, data=encoded, content_type="image/jpeg")
    if status == 200:
        assert len(answer_of(response).classes) == 7
    else:
        assert code is not None
        problem_of(response, status, code)


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        ({"data": b""}, 400, "malformed_request"),
        ({"data": b"x" * (MAX_BODY_BYTES + 1)}, 413, "payload_too_large"),
        ({"data": b"x" * MAX_BODY_BYTES}, 415, "unsupported_picture"),
        ({"data": {"photo": (io.BytesIO(b"x"), "a.jpg")}}, 400, "malformed_request"),
        ({"data": {"image": (io.BytesIO(b""), "a.jpg")}}, 400, "malformed_request"),
        ({"data": b"--x\r\nbroken", "content_type": "multipart/form-data; boundary=x"}, 400, "malformed_request"),
        ({"data": b"--x--\r\n", "content_type": "multipart/form-data; boundary=x"}, 400, "malformed_request"),
        ({"data": b"anything", "content_type": "multipart/form-data"}, 400, "malformed_request"),
        ({"data": b"{}", "content_type": "application/json"}, 415, "unsupported_picture"),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, dict) else str(value),
)
def test_a_request_without_a_picture_is_refused(ask: Ask, request_: dict[str, Any], status: int, code: str) -> None:
    problem_of(ask("POST", PREDICTIONS, **request_), status, code)


def test_a_body_that_is_not_base64_is_refused(handler: Handler) -> None:
    event = {**request_event("POST", PREDICTIONS, data=b"x"), "body": "not base64!", "isBase64Encoded": True}
    problem_of(handler(event, LambdaContext()), 400, "malformed_request")


def test_unknown_routes_get_404_and_wrong_methods_405(ask: Ask) -> None:
    problem_of(ask("GET", "/v2/predictions"), 404, "not_found")
    problem_of(ask("POST", "/"), 404, "not_found")
    refused = ask("GET", PREDICTIONS)
    problem_of(refused, 405, "method_not_allowed")
    assert refused["headers"]["Allow"] == "OPTIONS, POST"
    problem_of(ask("DELETE", "/v1/model"), 405, "method_not_allowed")


def test_the_model_is_described(ask: Ask, bundle: Path) -> None:
    model = ModelDescription.model_validate_json(ask("GET", "/v1/model")["body"])
    assert (model.version, model.labels, model.input_size_px) == (bundle.name, list(CODES), 64)
    assert model.metrics["balanced_accuracy"].low == 0.1
    assert model.limits.max_body_bytes == MAX_BODY_BYTES
    health = Health.model_validate_json(ask("GET", "/v1/health")["body"])
    assert health.model_version == bundle.name


def test_without_a_model_everything_answers_503_and_says_so(tmp_path: Path, originals: list[bytes]) -> None:
    handler = Handler(settings_for(None, tmp_path))
    handler.preload()
    for event in (request_event("POST", PREDICTIONS, data=originals[0]), request_event("GET", "/v1/health")):
        response = handler(event, LambdaContext())
        assert "No model has been deployed" in problem_of(response, 503, "model_unavailable").detail
        assert response["headers"]["Retry-After"] == "30"


def test_a_model_that_appears_later_is_loaded_but_not_every_request_looks_for_it(
    tmp_path: Path, originals: list[bytes]
) -> None:
    event = request_event("POST", PREDICTIONS, data=originals[0])
    made = write_tiny_bundle(tmp_path / "made")
    now = [0.0]
    handler = Handler(settings_for((tmp_path / "later").as_uri(), tmp_path / "cache"), clock=lambda: now[0])
    handler.preload()
    made.rename(tmp_path / "later")
    problem_of(handler(event, LambdaContext()), 503, "model_unavailable")
    now[0] = FIRST_PAUSE_S
    assert answer_of(handler(event, LambdaContext())).model_version == made.name
