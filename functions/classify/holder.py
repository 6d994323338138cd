"""The container's one model: loaded once; after a failure tried again, but not by every request."""

import random
import threading
import time
from collections.abc import Callable

from contract.errors import ModelUnavailableError
from functions.classify.classifier import Classifier
from functions.classify.loading import Loading

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0  # between two attempts: doubled each time, and up to half of it left out

Clock = Callable[[], float]  # seconds, from any start


class ModelHolder:
    """Holds a model that is whole, or the reason why there is none."""

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
            on_load: is told of the model, and the milliseconds that loading took.
            on_failure: is told of each failed attempt, and the seconds until there may be another.
            clock: what the pauses are measured with.
        """
        self._load, self._on_load, self._on_failure, self._clock = load, on_load, on_failure, clock
        self._lock = threading.Lock()
        self._classifier: Classifier | None = None
        self._failure: ModelUnavailableError | None = None
        self._pause_s, self._not_before = FIRST_PAUSE_S, 0.0

    def current(self, loading: Loading | None = None) -> Classifier:
        """Return the model, loading it if that has not been done.

        Args:
            loading: one that is under way, to wait for rather than to start another.

        Raises:
            ModelUnavailableError: it could not be loaded, now or a moment ago.
        """
        with self._lock:
            if self._classifier is None:
                self._classifier = self._loaded(loading)
            return self._classifier

    def _loaded(self, loading: Loading | None) -> Classifier:
        if self._failure is not None and self._clock() < self._not_before:
            raise self._failure.with_traceback(None)
        began = loading.began if loading else time.perf_counter()
        try:
            classifier = loading.result() if loading else self._load()
        except ModelUnavailableError as error:
            pause_s = self._pause_s * random.uniform(0.5, 1)  # noqa: S311  containers that failed together part ways
            self._failure, self._not_before = error, self._clock() + pause_s
            self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
            self._on_failure(error, pause_s)
            raise
        self._failure = None
        self._on_load(classifier, (time.perf_counter() - began) * 1000)
        return classifier
