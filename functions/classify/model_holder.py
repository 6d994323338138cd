"""Holds the model of the container: loads it once, and pauses before it retries a failed load."""

import random
import threading
import time
from collections.abc import Callable

from contract.errors import ModelUnavailableError
from functions.classify.classifier import Classifier
from functions.classify.model_loader import ModelLoader

# Pause between two attempts: doubled each time, then shortened at random by up to half.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0

Clock = Callable[[], float]  # seconds since any fixed time


class ModelHolder:
    """Holds a loaded model, or the error of the last attempt to load it."""

    def __init__(
        self,
        load: Callable[[], Classifier],
        *,
        on_load: Callable[[Classifier, float], None],
        on_failure: Callable[[ModelUnavailableError, float], None],
        clock: Clock = time.monotonic,
    ) -> None:
        """Load nothing yet.

        Args:
            load: fetches and opens the model, or raises a ModelUnavailableError.
            on_load: gets the model, and the milliseconds that loading took.
            on_failure: gets the error of a failed attempt, and the seconds until the next may start.
            clock: measures the pauses.
        """
        self._load, self._on_load, self._on_failure, self._clock = load, on_load, on_failure, clock
        self._lock = threading.Lock()
        self._classifier: Classifier | None = None
        self._failure: ModelUnavailableError | None = None
        self._pause_s, self._next_attempt_at = FIRST_PAUSE_S, 0.0

    def current(self, loader: ModelLoader | None = None) -> Classifier:
        """Return the model, and load it if that has not been done.

        Args:
            loader: a running loader to wait for, instead of a new load.

        Raises:
            ModelUnavailableError: it could not be loaded, now or in an attempt shortly before.
        """
        with self._lock:
            if self._classifier is None:
                self._classifier = self._load_once(loader)
            return self._classifier

    def _load_once(self, loader: ModelLoader | None) -> Classifier:
        if self._failure is not None and self._clock() < self._next_attempt_at:
            raise self._failure.with_traceback(None)
        started_s = loader.started_s if loader else time.perf_counter()
        try:
            classifier = loader.result() if loader else self._load()
        except ModelUnavailableError as error:
            pause_s = self._pause_s * random.uniform(0.5, 1)  # noqa: S311  containers that failed together retry at different times
            self._failure, self._next_attempt_at = error, self._clock() + pause_s
            self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
            self._on_failure(error, pause_s)
            raise
        self._failure = None
        self._on_load(classifier, (time.perf_counter() - started_s) * 1000)
        return classifier
