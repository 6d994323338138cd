"""Metrics, log and traces: they say what happened, and nothing about the picture or the person."""

import io
import json
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from contract.api import Prediction, Problem
from contract.errors import BundleError, ModelUnavailableError
from contract.quality import MESSAGES
from functions.classify.metrics import DIMENSION_VALUES, METRICS
from functions.classify.settings import NAMESPACE
from tests.functions.conftest import LambdaContext, request_event
from tests.functions.embedded_metrics import Measurement, parse_embedded_metrics
from tests.odd_pictures import encode, odd_pictures, plain_picture

PREDICTIONS = "/v1/predictions"
EVENTS = """
import json, sys
from functions.classify.handler import container_handler
from tests.functions.conftest import LambdaContext
container_handler().preload()
responses = [container_handler()(event, LambdaContext()) for event in json.load(sys.stdin)]
print(json.dumps({"responses": responses}))
"""


def printed_for(
    events: list[dict[str, Any]], bundle: Path, cache: Path, **environment: str
) -> tuple[list[dict[str, Any]], list[str]]:
    """Answer events in a new process, as Lambda does; return the responses and all printed lines."""
    environment = {
        "MODEL_URI": bundle.as_uri(),
        "MODEL_CACHE": str(cache),
        "PYTHONPATH": str(Path.cwd()),
        **environment,
    }
    done = subprocess.run(
        [sys.executable, "-c", EVENTS], input=json.dumps(events), env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    *printed, last = done.stdout.splitlines()
    return json.loads(last)["responses"], printed + done.stderr.splitlines()


def named(measured: list[Measurement], name: str) -> list[Measurement]:
    return [measurement for measurement in measured if measurement.name == name]


def test_metrics_and_log_of_a_prediction_say_nothing_about_the_picture(
    bundle: Path, originals: list[bytes], tmp_path: Path
) -> None:
    event = request_event("POST", PREDICTIONS, data={"image": (io.BytesIO(originals[0]), "Jane Doe.jpg", "image/jpeg")})
    (response,), printed = printed_for([event], bundle, tmp_path)
    answer = Prediction.model_validate_json(response["body"])
    measured = [m for line in printed for m in parse_embedded_metrics(line)]
    values = {m.name: (dict(m.dimensions), m.unit, m.values) for m in measured}
    service = {"service": "classify"}
    assert len(values) == len(measured)
    assert values["Requests"] == values["Predictions"] == (service, "Count", [1])
    assert values["Outcomes"] == ({**service, "outcome": answer.outcome}, "Count", [1])
    assert values["LeadingClasses"] == ({**service, "class": answer.classes[0].code}, "Count", [1])
    assert values["ColdStart"] == ({**service, "function_name": "classify"}, "Count", [1])
    assert values["Confidence"] == (service, "None", [answer.classes[0].probability])
    assert values["MalignantProbability"] == (service, "None", [answer.malignant_probability])
    assert values["DecodeTime"] == (service, "Milliseconds", [answer.timing_ms.decode])
    assert values["InferenceTime"] == (service, "Milliseconds", [answer.timing_ms.inference])
    assert values["TotalTime"] == (service, "Milliseconds", [answer.timing_ms.total])
    assert 0 <= values["UnfamiliarScore"][2][0] <= 2
    assert values["ModelLoadTime"][2][0] > 0

    logs = [json.loads(line) for line in printed if "_aws" not in line]
    assert [log["message"] for log in logs] == ["model loaded", "predicted"]
    assert logs[1]["prediction_id"] == answer.prediction_id
    assert logs[1]["function_request_id"] == LambdaContext.aws_request_id
    assert logs[0]["model_version"] == logs[1]["model_version"] == bundle.name
    assert "Jane" not in "".join(printed)
    assert not any(event["body"][start : start + 40] in "".join(printed) for start in range(0, len(event["body"]), 40))


def test_no_line_has_a_probability_and_a_request_id(bundle: Path, originals: list[bytes], tmp_path: Path) -> None:
    events = [request_event("POST", PREDICTIONS, data=original) for original in originals[:3]]
    responses, printed = printed_for(events, bundle, tmp_path)
    answers = [Prediction.model_validate_json(response["body"]) for response in responses]
    identities = [LambdaContext.aws_request_id, *(answer.prediction_id for answer in answers)]
    shares = {f"{item.probability:.4f}" for answer in answers for item in answer.classes if item.probability > 0.01}
    for line in printed:
        identified = any(identity in line for identity in identities)
        assert not (identified and any(share in line for share in shares))
        assert identified or "_aws" in line or "model loaded" in line


def test_refusals_and_findings_are_counted_by_code_and_the_body_is_not_logged(bundle: Path, tmp_path: Path) -> None:
    dark = encode(plain_picture().point(lambda value: value // 8), "PNG")
    gps = odd_pictures()["JPEG, GPS and a name in its EXIF"].encoded
    bodies = [b"somebody's secret", odd_pictures()["PNG of 10000 x 5001"].encoded, dark, gps]
    responses, printed = printed_for(
        [request_event("POST", PREDICTIONS, data=body) for body in bodies], bundle, tmp_path
    )
    assert [response["statusCode"] for response in responses] == [415, 422, 200, 200]
    measured = [m for line in printed for m in parse_embedded_metrics(line)]
    assert [dict(m.dimensions)["code"] for m in named(measured, "Refusals")] == [
        "unsupported_picture",
        "too_many_pixels",
    ]
    dark_answer = Prediction.model_validate_json(responses[2]["body"])
    codes = [finding.code for finding in dark_answer.image.quality]
    assert "too_dark" in codes
    assert [dict(m.dimensions)["finding"] for m in named(measured, "QualityFindings")][: len(codes)] == codes
    assert len(named(measured, "Predictions")) == 2
    output = "".join(printed) + "".join(response["body"] for response in responses)
    assert not any(word in output for word in ("secret", "Jane Doe", "GPS", "exif", "EXIF"))


def test_every_metric_has_its_declared_unit_and_dimensions(bundle: Path, tmp_path: Path) -> None:
    bodies = [odd.encoded for odd in odd_pictures().values() if len(odd.encoded) < 100_000]
    events = [request_event("POST", PREDICTIONS, data=body) for body in bodies]
    events += [
        request_event("GET", "/v9/nowhere"),
        request_event("PATCH", PREDICTIONS),
        request_event("GET", "/v1/health"),
    ]
    _, printed = printed_for(events, bundle, tmp_path)
    measured = [m for line in printed for m in parse_embedded_metrics(line)]
    assert {m.name for m in measured} == set(METRICS) - {"ModelLoadFailures"}
    for m in measured:
        assert (m.namespace, m.unit) == (NAMESPACE, METRICS[m.name].unit)
        dimensions = dict(m.dimensions)
        assert set(dimensions) - {"service"} == set(METRICS[m.name].dimensions)
        for name in METRICS[m.name].dimensions:
            assert dimensions[name] in DIMENSION_VALUES[name]
    assert sum(len(values) for values in DIMENSION_VALUES.values()) < 50  # each is paid for by the month


def test_a_model_that_cannot_be_loaded_is_logged_and_counted(tmp_path: Path) -> None:
    (response,), printed = printed_for([request_event("GET", "/v1/health")], tmp_path / "nowhere", tmp_path)
    assert Problem.model_validate_json(response["body"]).code == "model_unavailable"
    failed = [json.loads(line) for line in printed if "model not loaded" in line]
    assert len(failed) == 1  # at the start; the request came a moment later and did not try again
    assert failed[0]["code"] == "model_unavailable"
    assert "There is no manifest.json" in failed[0]["reason"]
    (failure,) = [m for line in printed for m in parse_embedded_metrics(line) if m.name == "ModelLoadFailures"]
    assert dict(failure.dimensions) == {"service": "classify", "code": "model_unavailable"}


def test_each_stack_has_its_own_metrics_namespace(bundle: Path, tmp_path: Path) -> None:
    events = [
        request_event("POST", PREDICTIONS, data=encode(plain_picture(), "JPEG")),
        request_event("POST", PREDICTIONS),
    ]
    _, printed = printed_for(events, bundle, tmp_path, POWERTOOLS_METRICS_NAMESPACE="SkinLesionAnalyzer/dev")
    measured = [m for line in printed for m in parse_embedded_metrics(line)]
    assert {"Requests", "Outcomes", "Refusals", "ModelLoadTime"} <= {m.name for m in measured}
    assert {m.namespace for m in measured} == {"SkinLesionAnalyzer/dev"}


def test_the_dimension_values_are_the_existing_codes() -> None:
    assert set(MESSAGES) == DIMENSION_VALUES["finding"]
    assert {ModelUnavailableError.code, BundleError.code} <= DIMENSION_VALUES["code"]


def test_a_trace_shows_the_steps_and_nothing_about_the_picture(
    bundle: Path, originals: list[bytes], tmp_path: Path
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as daemon:  # what X-Ray's daemon listens on in Lambda
        daemon.bind(("127.0.0.1", 0))
        daemon.settimeout(10)
        tracing = {
            "AWS_XRAY_DAEMON_ADDRESS": f"127.0.0.1:{daemon.getsockname()[1]}",
            "_X_AMZN_TRACE_ID": "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
            "LAMBDA_TASK_ROOT": "/var/task",
            "AWS_LAMBDA_FUNCTION_NAME": "classify",
        }
        event = request_event("POST", PREDICTIONS, data=originals[0])
        (response,), printed = printed_for([event], bundle, tmp_path, **tracing)
        received = daemon.recv(65_536).decode()
        daemon.setblocking(False)
        while True:
            try:
                received += daemon.recv(65_536).decode()
            except BlockingIOError:
                break
    assert response["statusCode"] == 200, printed
    names = set(re.findall(r'"name": ?"([^"]+)"', received))
    assert {"## decode", "## inference"} <= names
    answer = Prediction.model_validate_json(response["body"])
    assert str(answer.classes[0].probability) not in received
    assert "malignant" not in received
