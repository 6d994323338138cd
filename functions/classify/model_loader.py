"""Loads the model from MODEL_URI, also in a thread while the container still imports."""

import threading
import time
from typing import TYPE_CHECKING

from functions.classify.model_store import fetch_bundle
from functions.classify.settings import Settings

if TYPE_CHECKING:
    from functions.classify.classifier import Classifier


def load_classifier(settings: Settings) -> "Classifier":
    """Fetch and open the model that the settings name.

    Raises:
        ModelUnavailableError: there is none, or it cannot be fetched or opened.
    """
    folder, manifest = fetch_bundle(settings)
    from functions.classify.classifier import Classifier  # imports NumPy, so it comes after the fetch

    return Classifier(folder, manifest, threads=settings.threads)


class ModelLoader:
    """Loads the model in a thread: fetches, hashes and opens it while the rest of the code is imported."""

    def __init__(self, settings: Settings) -> None:
        """Start the thread."""
        self.started_s = time.perf_counter()
        self._settings = settings
        self._classifier: Classifier | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._load, name="model-loader", daemon=True)
        self._thread.start()

    def result(self) -> "Classifier":
        """Wait for the model.

        Raises:
            ModelUnavailableError: as `load_classifier`.
        """
        self._thread.join()
        if self._classifier is None:
            raise self._error or RuntimeError("the model loader ended without a result")
        return self._classifier

    def _load(self) -> None:
        try:
            self._classifier = load_classifier(self._settings)
        except BaseException as error:
            self._error = error  # `result` raises it
