"""Who answers `lesion predict`: an API over HTTP, or the function around a bundle on this machine."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from cli.local import FOLDER, default_bundle
from contract.api import MAX_BODY_BYTES, Prediction, Problem
from contract.errors import AnalyzerError, ModelUnavailableError
from contract.events import http_event

TIMEOUT_S = 35.0  # API Gateway gives up after 30
RETRIES = 5
CONTENT_TYPE = "application/octet-stream"

Ask = Callable[[bytes], Prediction | Problem]


@contextmanager
def asking(url: str | None, bundle: Path | None, *, workers: int = 1) -> Iterator[tuple[Ask, str]]:
    """Find whom to ask, as `predict` says; also tell who it is: an address, or a model's version."""
    from local.stack import read_state

    if url is None and bundle is None and (state := read_state(FOLDER)):
        url = state["urls"].get("api")
    if url:
        yield partial(ask_api, url), url
        return
    with _function(bundle or default_bundle(), workers) as (ask, version):
        yield ask, version


def ask_api(url: str, encoded: bytes) -> Prediction | Problem:
    """Send a picture to an API and read its answer.

    Raises:
        AnalyzerError: it cannot be reached, or it answers nothing that can be read.
    """
    import urllib3

    target = f"{url.rstrip('/')}/v1/predictions"
    headers = _signed(target, {"Content-Type": CONTENT_TYPE}, encoded)
    retries = urllib3.Retry(
        RETRIES,
        connect=0,
        read=0,
        status_forcelist=(429, 502, 504),  # what API Gateway says when too much is asked at once
        allowed_methods=None,  # asking twice changes nothing
        backoff_factor=0.5,
        backoff_jitter=0.5,
        raise_on_status=False,
    )
    try:
        answer = urllib3.request("POST", target, body=encoded, headers=headers, timeout=TIMEOUT_S, retries=retries)
    except urllib3.exceptions.HTTPError as error:
        raise ModelUnavailableError(f"{url} does not answer: check the address, and that the API is up.") from error
    return _read(answer.status, answer.data)


def _read(status: int, body: str | bytes) -> Prediction | Problem:
    try:
        return Prediction.model_validate_json(body) if status == 200 else Problem.model_validate_json(body)
    except ValueError as error:
        raise AnalyzerError(f"The API answered {status} with nothing that this version can read.") from error


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
def _function(bundle: Path, workers: int) -> Iterator[tuple[Ask, str]]:
    """Run the very function that is deployed, around a bundle on this machine."""
    import tempfile

    from contract.bundle import read_bundle
    from local.emulator import Function, FunctionFailedError

    manifest = read_bundle(bundle)
    with tempfile.TemporaryDirectory(prefix="lesion-") as folder:
        environment = {"MODEL_URI": bundle.resolve().as_uri(), "MODEL_CACHE": f"{folder}/models"}
        function = Function(environment=environment, logs=Path(folder), limit=workers)

        def ask(encoded: bytes) -> Prediction | Problem:
            if len(encoded) > MAX_BODY_BYTES:
                encoded = encoded[: MAX_BODY_BYTES + 1]  # the function refuses it as it would the whole
            try:
                headers = [("Content-Type", CONTENT_TYPE)]
                result = function.invoke(http_event("POST", "/v1/predictions", headers=headers, body=encoded))
            except FunctionFailedError as error:
                raise AnalyzerError(f"The function gave no answer: {error}.") from error
            return _read(result["statusCode"], result["body"])

        try:
            yield ask, manifest.version
        finally:
            function.stop()
