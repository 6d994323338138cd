"""The one model of the container: complete or absent, and not loaded by every request."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from contract.errors import BundleError, ModelUnavailableError
from functions.classify.classifier import Classifier
from functions.classify.model_holder import FIRST_PAUSE_S, LONGEST_PAUSE_S, ModelHolder
from functions.classify.model_loader import load_classifier
from tests.functions.conftest import settings_for


class Container:
    """A model holder with a clock and a model that the test controls."""

    def __init__(self, load: Callable[[], Classifier]) -> None:
        self.now, self.attempts, self.works, self.load = 0.0, 0, False, load
        self.events: list[str] = []
        self.holder = ModelHolder(
            self._load,
            on_load=lambda classifier, _: self.events.append(classifier.manifest.version),
            on_failure=lambda error, pause_s: self.events.append(f"{error.code} {pause_s <= LONGEST_PAUSE_S}"),
            clock=lambda: self.now,
        )

    def _load(self) -> Classifier:
        self.attempts += 1
        if not self.works:
            raise BundleError("The model is broken.")
        return self.load()


@pytest.fixture
def container(bundle: Path, tmp_path: Path) -> Container:
    return Container(lambda: load_classifier(settings_for(bundle.as_uri(), tmp_path)))


def test_a_failure_is_repeated_without_another_attempt_until_the_pause_is_over(container: Container) -> None:
    for _ in range(5):
        with pytest.raises(ModelUnavailableError, match="broken"):
            container.holder.current()
    assert container.attempts == 1
    container.now += FIRST_PAUSE_S
    with pytest.raises(ModelUnavailableError):
        container.holder.current()
    assert container.attempts == 2
    assert container.events == ["invalid_bundle True"] * 2


def test_the_pauses_grow_up_to_a_limit(container: Container) -> None:
    for _ in range(600):  # ten minutes of a request each second
        with pytest.raises(ModelUnavailableError):
            container.holder.current()
        container.now += 1
    assert 600 / LONGEST_PAUSE_S <= container.attempts <= 2 * 600 / LONGEST_PAUSE_S + 6


def test_a_model_that_becomes_available_is_loaded_once_and_kept(container: Container, bundle: Path) -> None:
    with pytest.raises(ModelUnavailableError):
        container.holder.current()
    container.works, container.now = True, FIRST_PAUSE_S
    with ThreadPoolExecutor(4) as threads:
        models = list(threads.map(lambda _: container.holder.current(), range(8)))
    assert len({id(model) for model in models}) == 1
    assert container.attempts == 2
    assert container.events[-1] == bundle.name
    container.works = False
    assert container.holder.current() is models[0]
