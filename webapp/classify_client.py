"""The page's only way to the classifier: one HTTP call for a picture, with every way in which it can fail named."""

import itertools
import logging
import re
import time
from collections.abc import Mapping
from typing import Final, TypeVar

import urllib3
from pydantic import BaseModel, ValidationError
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ProtocolError, ReadTimeoutError

from contract.api import PROBLEM_CONTENT_TYPE, Health, ModelDescription, Prediction, Problem
from contract.errors import ModelUnavailableError, TooManyRequestsError
from contract.image import sniff_content_type
from webapp.errors import (
    ClassifyError,
    ClassifyProblemError,
    ClassifyTimeoutError,
    LostConnectionError,
    SigningError,
)
from webapp.settings import Auth

CONNECT_TIMEOUT_S: Final = 3.0
TRIES: Final = 3  # a prediction changes nothing, so asking again is safe
FIRST_PAUSE_S: Final = 0.1  # doubled for each further try, when the API does not say how long
LONGEST_PAUSE_S: Final = 2.0  # if the API asks for more, the person is told instead of kept waiting
MAX_ANSWER_BYTES: Final = 1_000_000  # an explanation of 14 x 14 is under 10 kB
CONNECTIONS: Final = 16  # kept open for each process

_LATER: Final = "The classifier cannot answer at the moment. Please try again in a few minutes."
_TOO_LONG: Final = "The classifier did not answer in time. Please try again: the second try is often faster."
_BUSY: Final = "Too many pictures are being looked at just now. Please try again in a moment."

Answer = TypeVar("Answer", bound=BaseModel)
logger = logging.getLogger(__name__)


class ClassifyClient:
    """Asks the API; safe to share between threads, which share its connections."""

    def __init__(self, url: str, auth: Auth, timeout_s: float) -> None:
        """Open nothing yet.

        Args:
            url: of the API, without a slash at its end.
            auth: "iam" signs every call with AWS's credentials.
            timeout_s: for one answer, all tries together.

        Raises:
            SettingsError: calls are to be signed and there is no region to sign for.
        """
        self._url = url
        self._timeout_s = timeout_s
        self._pool = urllib3.PoolManager(maxsize=CONNECTIONS)
        self._signer = None
        if auth == "iam":
            from webapp.signing import Signer  # botocore takes longer to load than all the rest of the page

            self._signer = Signer(url)

    def predict(self, encoded: bytes, *, explain: bool = True) -> Prediction:
        """Ask what the model makes of a picture: the bytes of a JPEG, PNG or WebP file.

        Raises:
            ClassifyProblemError: the API refused the picture, or is too busy.
            ClassifyTimeoutError: no answer came in time.
            ClassifyError: the API cannot be reached, or its answer makes no sense.
        """
        content_type = sniff_content_type(encoded) or "application/octet-stream"
        path = f"/v1/predictions?explain={'true' if explain else 'false'}"
        prediction = self._ask("POST", path, Prediction, encoded, {"content-type": content_type})
        rows = {len(row) for row in prediction.explanation.grid} if prediction.explanation else {1}
        if not prediction.classes or len(rows) != 1 or 0 in rows:
            raise _nonsense("a prediction without classes, or an explanation that is no grid")
        return prediction

    def describe_model(self) -> ModelDescription:
        """Ask what serves at the moment; raises as `predict` does."""
        return self._ask("GET", "/v1/model", ModelDescription)

    def health(self) -> Health:
        """Ask whether a picture would be answered now; raises as `predict` does."""
        return self._ask("GET", "/v1/health", Health)

    def _ask(
        self,
        method: str,
        path: str,
        expected: type[Answer],
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Ask until there is an answer, trying again is of no use, or time is up."""
        headers = {"accept": f"application/json, {PROBLEM_CONTENT_TYPE}", **(headers or {})}
        deadline = time.monotonic() + self._timeout_s
        for tries in itertools.count(1):
            try:
                answer = self._try(method, self._url + path, headers, body, deadline)
                return expected.model_validate_json(answer)
            except ValidationError as error:
                raise _nonsense(f"it does not follow the schema at {error.errors()[0]['loc']}") from error
            except ClassifyError as error:
                pause_s = _pause_s(error, tries)
                if pause_s is None or tries == TRIES or time.monotonic() + pause_s > deadline:
                    raise
            time.sleep(pause_s)
        raise AssertionError("the tries are counted without end")

    def _try(self, method: str, url: str, headers: dict[str, str], body: bytes, deadline: float) -> bytes:
        """Ask once; return the body of a 200, and raise all else as ours."""
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
        except HTTPError as error:  # TLS that fails, an encoding that does not decode
            logger.error("the API cannot be talked to: %s", error)
            raise ClassifyError(_LATER) from error

    def _exchange(self, method: str, url: str, headers: dict[str, str], body: bytes, deadline: float) -> bytes:
        """Send one request and read its whole answer before the deadline; a redirect is not followed."""
        left_s = max(deadline - time.monotonic(), 0.01)
        response = self._pool.request(
            method,
            url,
            body=body or None,
            headers=headers,
            timeout=urllib3.Timeout(connect=min(CONNECT_TIMEOUT_S, left_s), read=left_s),
            retries=False,
            preload_content=False,
        )
        answer = bytearray()
        try:
            while chunk := response.read1(65_536):
                answer += chunk
                if len(answer) > MAX_ANSWER_BYTES:
                    raise _nonsense(f"it has more than {MAX_ANSWER_BYTES} bytes")
                if time.monotonic() > deadline:  # the read timeout is for each piece, and a trickle outlasts it
                    raise TimeoutError
        except BaseException:
            response.close()  # what is left unread would be taken for the next answer
            raise
        response.release_conn()
        if response.status != 200:
            raise _refusal(response.status, response.headers, bytes(answer))
        return bytes(answer)


def _pause_s(error: ClassifyError, tries: int) -> float | None:
    """Tell how long to wait before the next try, or None if there should be none."""
    pause_s = FIRST_PAUSE_S * 2.0 ** (tries - 1)
    if isinstance(error, LostConnectionError):
        return pause_s
    if isinstance(error, ClassifyProblemError) and error.problem.status in (429, 503):
        asked_s = pause_s if error.wait_s is None else float(error.wait_s)
        return asked_s if asked_s <= LONGEST_PAUSE_S else None
    return None


def _refusal(status: int, headers: Mapping[str, str], answer: bytes) -> ClassifyError:
    """Make an error of an answer other than 200; API Gateway's own refusals are no problem documents."""
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
            return _nonsense(f"status {status} without a problem document, request {request_id!r}")
    if problem.status != status:
        return _nonsense(f"status {status} with a problem of status {problem.status}")
    logger.warning("the API refused with %d %r, request %r", status, problem.code, problem.request_id)
    return ClassifyProblemError(problem, _seconds(headers.get("retry-after", "")))


def _nonsense(what: str) -> ClassifyError:
    logger.error("the API's answer makes no sense: %s", what)
    return ClassifyError(_LATER)


def _seconds(retry_after: str) -> int | None:
    """Read Retry-After as seconds; RFC 9110 allows a date too, which counts as not given."""
    return int(retry_after) if re.fullmatch(r"[0-9]{1,6}", retry_after) else None
