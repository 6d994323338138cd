"""The HTTP client of the API: one call for a picture, with an error class for each kind of failure."""

import itertools
import logging
import re
import time
from collections.abc import Mapping
from typing import Final, TypeVar

import urllib3
from pydantic import BaseModel, ValidationError
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ProtocolError, ReadTimeoutError

from contract.api import PROBLEM_CONTENT_TYPE, ModelDescription, Prediction, Problem
from contract.errors import ModelUnavailableError, TooManyRequestsError
from contract.image import sniff_content_type
from webapp.errors import (
    ClassifyError,
    ClassifyProblemError,
    ClassifyTimeoutError,
    LostConnectionError,
    SettingsError,
    SigningError,
)
from webapp.settings import Auth

CONNECT_TIMEOUT_S: Final = 3.0
TRIES: Final = 3  # a prediction changes nothing, so a retry is safe
FIRST_PAUSE_S: Final = 0.1  # doubled for each further try, if the API sends no Retry-After
LONGEST_PAUSE_S: Final = 2.0  # if the API asks for more, the page does not retry
MAX_ANSWER_BYTES: Final = 1_000_000  # an explanation of 14 x 14 is under 10 kB
CONNECTIONS: Final = 16  # kept open for each process

_LATER: Final = "The classifier cannot answer at the moment. Please try again in a few minutes."
_TOO_LONG: Final = "The classifier did not answer in time. Please try again: the second try is often faster."
_BUSY: Final = "The classifier is busy with other pictures. Please try again in a moment."

Answer = TypeVar("Answer", bound=BaseModel)
logger = logging.getLogger(__name__)


class ClassifyClient:
    """Calls the API; threads can share it and its connections."""

    def __init__(self, url: str, auth: Auth, timeout_s: float) -> None:
        """Open nothing yet.

        Args:
            url: of the API, without a slash at its end.
            auth: "iam" signs every call with AWS credentials.
            timeout_s: for one answer with all its tries.

        Raises:
            SettingsError: calls must be signed, and no AWS region is known.
        """
        self._url = url
        self._timeout_s = timeout_s
        self._pool = urllib3.PoolManager(maxsize=CONNECTIONS)
        self._signer = None
        if auth == "iam":
            from webapp.signing import Signer  # botocore takes longer to import than the rest of the page

            try:
                self._signer = Signer(url)
            except SigningError as error:
                raise SettingsError(f"CLASSIFY_AUTH is iam. {error}") from error

    def predict(self, encoded: bytes) -> Prediction:
        """Classify a picture: the bytes of a JPEG, PNG, WebP or HEIC file.

        Raises:
            ClassifyProblemError: the API refused the picture, or is too busy.
            ClassifyTimeoutError: no answer came in time.
            ClassifyError: the API cannot be reached, or its answer is not valid.
        """
        content_type = sniff_content_type(encoded) or "application/octet-stream"
        prediction = self._ask(
            "POST", "/v1/predictions?explain=true", Prediction, encoded, {"content-type": content_type}
        )
        rows = {len(row) for row in prediction.explanation.grid} if prediction.explanation else {1}
        if not prediction.classes or len(rows) != 1 or 0 in rows:
            raise _invalid("a prediction without classes, or an explanation that is not a grid")
        return prediction

    def describe_model(self) -> ModelDescription:
        """Describe the model that serves; raises the same errors as `predict`."""
        return self._ask("GET", "/v1/model", ModelDescription)

    def _ask(
        self,
        method: str,
        path: str,
        expected: type[Answer],
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request, and retry while a retry can help and time is left."""
        headers = {"accept": f"application/json, {PROBLEM_CONTENT_TYPE}", **(headers or {})}
        deadline = time.monotonic() + self._timeout_s
        for attempt in itertools.count(1):
            try:
                answer = self._try_once(method, self._url + path, headers, body, deadline)
                return expected.model_validate_json(answer)
            except ValidationError as error:
                raise _invalid(f"it does not follow the schema at {error.errors()[0]['loc']}") from error
            except ClassifyError as error:
                pause_s = _pause_s(error, attempt)
                if pause_s is None or attempt == TRIES or time.monotonic() + pause_s > deadline:
                    raise
            time.sleep(pause_s)
        raise AssertionError("unreachable: the loop has no end")

    def _try_once(self, method: str, url: str, headers: dict[str, str], body: bytes, deadline: float) -> bytes:
        """Send once; return the body of a 200, and translate every failure into an error of the page."""
        try:
            if self._signer:
                headers = self._signer.sign(method, url, headers, body)
            return self._exchange(method, url, headers, body, deadline)
        except SigningError as error:
            logger.error("the call to the API cannot be signed: %s", error)
            raise ClassifyError(_LATER) from error
        except (ReadTimeoutError, TimeoutError) as error:
            logger.warning("the API did not answer within %g s", self._timeout_s)
            raise ClassifyTimeoutError(_TOO_LONG) from error
        except (ConnectTimeoutError, NewConnectionError, ProtocolError) as error:
            logger.warning("the API cannot be reached: %s", error)
            raise LostConnectionError(_LATER) from error
        except HTTPError as error:  # for example TLS, or a content encoding that cannot be decoded
            logger.error("the call to the API failed: %s", error)
            raise ClassifyError(_LATER) from error

    def _exchange(self, method: str, url: str, headers: dict[str, str], body: bytes, deadline: float) -> bytes:
        """Send one request and read its answer before the deadline; redirects are not followed."""
        remaining_s = max(deadline - time.monotonic(), 0.01)
        response = self._pool.request(
            method,
            url,
            body=body or None,
            headers=headers,
            timeout=urllib3.Timeout(connect=min(CONNECT_TIMEOUT_S, remaining_s), read=remaining_s),
            retries=False,
            preload_content=False,
        )
        answer = bytearray()
        try:
            while chunk := response.read1(65_536):
                answer += chunk
                if len(answer) > MAX_ANSWER_BYTES:
                    raise _invalid(f"it has more than {MAX_ANSWER_BYTES} bytes")
                if time.monotonic() > deadline:  # the read timeout is for each chunk, so slow chunks could exceed it
                    raise TimeoutError
        except BaseException:
            response.close()  # else the next call would read the rest of this answer
            raise
        response.release_conn()
        if response.status != 200:
            raise _error_from(response.status, response.headers, bytes(answer))
        return bytes(answer)


def _pause_s(error: ClassifyError, attempt: int) -> float | None:
    """Return how long to wait before the next try, or None if a retry does not help."""
    pause_s = FIRST_PAUSE_S * 2.0 ** (attempt - 1)
    if isinstance(error, LostConnectionError):
        return pause_s
    if isinstance(error, ClassifyProblemError) and error.problem.status in (429, 503):
        requested_s = pause_s if error.wait_s is None else float(error.wait_s)
        return requested_s if requested_s <= LONGEST_PAUSE_S else None
    return None


def _error_from(status: int, headers: Mapping[str, str], answer: bytes) -> ClassifyError:
    """Make an error from an answer other than 200; errors of API Gateway itself are not problem documents."""
    request_id = headers.get("apigw-requestid", "")
    try:
        problem = Problem.model_validate_json(answer)
    except ValidationError:
        if status == 429:
            problem = Problem.of(TooManyRequestsError(_BUSY), request_id=request_id)
        elif status == 503:
            problem = Problem.of(ModelUnavailableError(_LATER), request_id=request_id)
        elif status == 504:
            return ClassifyTimeoutError(_TOO_LONG)
        else:
            return _invalid(f"status {status} without a problem document, request {request_id!r}")
    if problem.status != status:
        return _invalid(f"status {status} with a problem of status {problem.status}")
    logger.warning("the API refused with %d %r, request %r", status, problem.code, problem.request_id)
    return ClassifyProblemError(problem, _seconds(headers.get("retry-after", "")))


def _invalid(reason: str) -> ClassifyError:
    logger.error("the API's answer is not valid: %s", reason)
    return ClassifyError(_LATER)


def _seconds(retry_after: str) -> int | None:
    """Parse Retry-After as seconds; a date, which RFC 9110 also allows, counts as not given."""
    return int(retry_after) if re.fullmatch(r"[0-9]{1,6}", retry_after) else None
