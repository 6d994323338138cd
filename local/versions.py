"""The function as its alias serves it: each published version on its own, and traffic between two of them by weight."""

import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from local.emulator import FunctionFailedError, ThrottledError

REFRESH_S = 1.0  # how long a change of the alias may take to be noticed
IDLE_S = 60.0  # how long a version that the alias has left stays warm after its last call


class Invocable(Protocol):
    """What answers events: the function of one version."""

    def invoke(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Call it."""

    def stop(self) -> None:
        """Stop what it runs."""


Make = Callable[[str, Mapping[str, str]], Invocable]  # of a version's number and its environment


class UnknownVersionError(Exception):
    """The function has no such version or alias."""


@dataclass
class _Running:
    """One version at work."""

    function: Invocable
    used_at: float
    failed: int = 0  # calls through the alias


class VersionedFunction:
    """A function of several versions behind one alias, as Lambda keeps them.

    The records are Lambda's own, read from its API (here: moto's) about once a second: which versions there are, what
    their environment is, and which of them the alias sends how much of the traffic to.
    """

    def __init__(
        self, lambda_api: Any, name: str, alias: str, make: Make, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Start nothing yet.

        Args:
            lambda_api: boto3's client of Lambda.
            name: of the function.
            alias: that `invoke` serves by.
            make: makes the function of a version.
            clock: seconds, from any start.
        """
        self.name, self.alias = name, alias
        self._api, self._make, self._clock = lambda_api, make, clock
        self._lock = threading.Lock()
        self._running: dict[str, _Running] = {}
        self._weights: dict[str, float] = {}
        self._read_at = float("-inf")

    def invoke(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Call a version that the alias chooses, and count what came of it.

        Raises:
            ThrottledError, FunctionFailedError: as that version does.
        """
        return self._call(self._choose(), event, counted=True)

    def invoke_version(self, qualifier: str, event: Mapping[str, Any]) -> dict[str, Any]:
        """Call one version, or the alias by its name.

        Raises:
            UnknownVersionError: there is none.
            ThrottledError, FunctionFailedError: as that version does.
        """
        return self.invoke(event) if qualifier == self.alias else self._call(qualifier, event, counted=False)

    def weights(self) -> dict[str, float]:
        """Tell which versions the alias sends what share of the traffic to."""
        with self._lock:
            if self._clock() - self._read_at >= REFRESH_S:
                self._refresh()
            return dict(self._weights)

    def failed(self, version: str) -> int:
        """Count the calls of a version's callers that failed, or were answered with a server error."""
        with self._lock:
            running = self._running.get(version)
            return running.failed if running else 0

    def forget(self) -> None:
        """Read the alias anew with the next call."""
        with self._lock:
            self._read_at = float("-inf")

    def stop(self) -> None:
        """Stop every version."""
        with self._lock:
            running, self._running = list(self._running.values()), {}
        for version in running:
            version.function.stop()

    def _choose(self) -> str:
        weights = self.weights()
        return random.choices(list(weights), list(weights.values()))[0]  # noqa: S311  traffic is no secret

    def _call(self, version: str, event: Mapping[str, Any], *, counted: bool) -> dict[str, Any]:
        running = self._of(version)
        failed = True
        try:
            result = running.function.invoke(event)
            failed = result.get("statusCode", 200) >= 500
        except ThrottledError:
            failed = False  # nobody was called
            raise
        finally:
            with self._lock:
                running.failed += failed and counted
        return result

    def _of(self, version: str) -> _Running:
        with self._lock:
            if version not in self._running:
                environment = self._environment_of(version)
                self._running[version] = _Running(self._make(version, environment), self._clock())
            running = self._running[version]
            running.used_at = self._clock()
            return running

    def _environment_of(self, version: str) -> dict[str, str]:
        if not version.isdigit():
            raise UnknownVersionError(f"Function not found: {self.name}:{version}")
        try:
            found = self._api.get_function_configuration(FunctionName=self.name, Qualifier=version)
        except self._api.exceptions.ResourceNotFoundException as error:
            raise UnknownVersionError(f"Function not found: {self.name}:{version}") from error
        return dict(found.get("Environment", {}).get("Variables", {}))

    def _refresh(self) -> None:
        try:
            alias = self._api.get_alias(FunctionName=self.name, Name=self.alias)
        except (BotoCoreError, ClientError) as error:
            if self._weights:
                return  # what served last goes on to serve
            raise FunctionFailedError(f"the alias cannot be read: {error}") from error
        others = (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
        self._weights = {alias["FunctionVersion"]: 1 - sum(others.values()), **others}
        self._read_at = self._clock()
        for version, running in list(self._running.items()):
            if version not in self._weights and self._clock() - running.used_at > IDLE_S:
                del self._running[version]
                threading.Thread(target=running.function.stop).start()  # it may wait for a call to end
