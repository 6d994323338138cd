"""The client of `lesion predict`: it sends pictures to an API, or to the Lambda function on this machine."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cli.local import FOLDER, default_bundle
from contract.errors import AnalyzerError, ModelUnavailableError
from contract.events import http_event

if TYPE_CHECKING:
    from contract.api import Prediction, Problem

TIMEOUT_S = 35.0  # API Gateway gives up after 30
RETRIES = 5
CONTENT_TYPE = "application/octet-stream"


@dataclass(frozen=True, kw_only=True)
class PredictionClient:
    """Classifies pictures, and names the API or the model that answers."""

    predict: "Callable[[bytes], Prediction | Problem]"  # takes an encoded picture; may be called from several threads
    answered_by: str  # the URL of the API, or the version of the model


@contextmanager
def open_client(url: str | None, bundle: Path | None, *, workers: int = 1) -> Iterator[PredictionClient]:
    """Connect to an API or start the function with a bundle, by the rules in the help of `lesion predict`.

    Args:
        url: the API's.
        bundle: the folder of a model bundle.
        workers: how many pictures the function must be able to classify in parallel.

    Raises:
        BundleError: there is no valid bundle to start the function with.
    """
    from local.state import read_state

    if url is None and bundle is None and (state := read_state(FOLDER)):
        url = state["urls"].get("api")
    if url:
        yield PredictionClient(predict=partial(call_api, url), answered_by=url)
        return
    with _start_function(bundle or default_bundle(), workers) as client:
        yield client


def call_api(url: str, encoded: bytes) -> "Prediction | Problem":
    """Send a picture to an API and return its answer.

    Raises:
        AnalyzerError: the API cannot be reached, or its answer cannot be parsed.
    """
    import urllib3

    target = f"{url.rstrip('/')}/v1/predictions"
    headers = _signed(target, {"Content-Type": CONTENT_TYPE}, encoded)
    retries = urllib3.Retry(
        RETRIES,
        connect=0,
        read=0,
        status_forcelist=(429, 502, 504),  # API Gateway's answers to too many requests at once
        allowed_methods=None,  # also POST: a prediction changes nothing
        backoff_factor=0.5,
        backoff_jitter=0.5,
        raise_on_status=False,
    )
    try:
        answer = urllib3.request("POST", target, body=encoded, headers=headers, timeout=TIMEOUT_S, retries=retries)
    except urllib3.exceptions.HTTPError as error:
        raise ModelUnavailableError(f"{url} does not answer: check the URL, and that the API runs.") from error
    return _read(answer.status, answer.data)


def _read(status: int, body: str | bytes) -> "Prediction | Problem":
    from contract.api import Prediction, Problem

    try:
        return Prediction.model_validate_json(body) if status == 200 else Problem.model_validate_json(body)
    except ValueError as error:
        raise AnalyzerError(
            f"The answer (HTTP status {status}) cannot be parsed: check that the URL is that of this project's API."
        ) from error


def _signed(url: str, headers: dict[str, str], body: bytes) -> dict[str, str]:
    """Add a signature for an API on AWS, which answers only callers that IAM allows."""
    host = url.split("/")[2]
    if not host.endswith(".amazonaws.com"):
        return headers
    from webapp.errors import SigningError
    from webapp.signing import Signer

    try:
        return Signer(url).sign("POST", url, headers, body)
    except SigningError as error:
        raise AnalyzerError(f"{error} With --bundle no request is signed.") from error


@contextmanager
def _start_function(bundle: Path, workers: int) -> Iterator[PredictionClient]:
    """Run the deployed function's code in the Lambda emulator, with a bundle on this machine."""
    import tempfile

    from contract.bundle import read_bundle
    from local.function.concurrency import Function
    from local.function.emulator import FunctionFailedError
    from local.processes import ignored_signals

    manifest = read_bundle(bundle)
    with tempfile.TemporaryDirectory(prefix="lesion-") as folder:
        environment = {"MODEL_URI": bundle.resolve().as_uri(), "MODEL_CACHE": f"{folder}/models"}
        function = Function(environment=environment, logs=Path(folder), concurrency=workers)

        def predict(encoded: bytes) -> "Prediction | Problem":
            try:
                headers = [("Content-Type", CONTENT_TYPE)]
                result = function.invoke(http_event("POST", "/v1/predictions", headers=headers, body=encoded))
            except FunctionFailedError as error:
                raise AnalyzerError(f"The function failed: {error}. Check the picture and the bundle.") from error
            return _read(result["statusCode"], result["body"])

        try:
            yield PredictionClient(predict=predict, answered_by=manifest.version)
        finally:
            with ignored_signals():
                function.stop()
