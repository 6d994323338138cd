"""The Lambda function with its versions and its alias: each version runs separately, and the alias routes the calls.

moto keeps Lambda's records: the versions, their environment variables, and the traffic weights of the alias.
"""

import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from local.function.concurrency import ThrottledError
from local.function.emulator import FunctionFailedError

REFRESH_S = 1.0  # the longest delay until a change of the alias takes effect
IDLE_S = 60.0  # how long a version without traffic stays warm after its last call


class FunctionVersion(Protocol):
    """One version of the function."""

    def invoke(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Call it."""

    def stop(self) -> None:
        """Stop its processes."""


StartVersion = Callable[[str, Mapping[str, str]], FunctionVersion]  # of a version's number and environment variables


class UnknownVersionError(Exception):
    """The function has no such version or alias."""


@dataclass
class _RunningVersion:
    function: FunctionVersion
    used_at: float
    failures: int = 0  # of calls through the alias


class VersionedFunction:
    """A function with several versions behind one alias."""

    def __init__(
        self,
        lambda_client: Any,
        name: str,
        alias: str,
        start_version: StartVersion,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start nothing yet.

        Args:
            lambda_client: boto3's client of Lambda.
            name: of the function.
            alias: the alias that `invoke` calls.
            start_version: starts a version; called once before its first call.
            clock: returns seconds from any start.
        """
        self.name, self.alias = name, alias
        self._client, self._start_version, self._clock = lambda_client, start_version, clock
        self._lock = threading.Lock()
        self._running: dict[str, _RunningVersion] = {}
        self._weights: dict[str, float] = {}
        self._read_at = float("-inf")

    def invoke(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Call a version, chosen at random by the alias's weights, and count the call if it fails.

        Raises:
            ThrottledError, FunctionFailedError: from that version.
        """
        weights = self.weights()
        version = random.choices(list(weights), list(weights.values()))[0]  # noqa: S311  not for cryptography
        return self._call(version, event, count_failures=True)

    def invoke_version(self, qualifier: str, event: Mapping[str, Any]) -> dict[str, Any]:
        """Call one version by its number, or the alias by its name.

        Raises:
            UnknownVersionError: there is none.
            ThrottledError, FunctionFailedError: from that version.
        """
        return self.invoke(event) if qualifier == self.alias else self._call(qualifier, event, count_failures=False)

    def weights(self) -> dict[str, float]:
        """Return the alias's traffic weights: version -> share, which add up to 1."""
        with self._lock:
            if self._clock() - self._read_at >= REFRESH_S:
                self._refresh()
            return dict(self._weights)

    def failures(self, version: str) -> int:
        """Count a version's calls through the alias that raised an error or returned a status of 500 or above."""
        with self._lock:
            running = self._running.get(version)
            return running.failures if running else 0

    def expire_weights(self) -> None:
        """Read the alias again before the next call."""
        with self._lock:
            self._read_at = float("-inf")

    def stop(self) -> None:
        """Stop every version."""
        with self._lock:
            running, self._running = list(self._running.values()), {}
        for version in running:
            version.function.stop()

    def _call(self, version: str, event: Mapping[str, Any], *, count_failures: bool) -> dict[str, Any]:
        running = self._find_or_start(version)
        failed = True
        try:
            result = running.function.invoke(event)
            failed = result.get("statusCode", 200) >= 500
        except ThrottledError:
            failed = False  # the function was not called
            raise
        finally:
            with self._lock:
                running.failures += failed and count_failures
        return result

    def _find_or_start(self, version: str) -> _RunningVersion:
        with self._lock:
            if version not in self._running:
                function = self._start_version(version, self._read_environment(version))
                self._running[version] = _RunningVersion(function, self._clock())
            running = self._running[version]
            running.used_at = self._clock()
            return running

    def _read_environment(self, version: str) -> dict[str, str]:
        if not version.isdigit():
            raise UnknownVersionError(f"Function not found: {self.name}:{version}")
        try:
            found = self._client.get_function_configuration(FunctionName=self.name, Qualifier=version)
        except self._client.exceptions.ResourceNotFoundException as error:
            raise UnknownVersionError(f"Function not found: {self.name}:{version}") from error
        return dict(found.get("Environment", {}).get("Variables", {}))

    def _refresh(self) -> None:
        try:
            alias = self._client.get_alias(FunctionName=self.name, Name=self.alias)
        except (BotoCoreError, ClientError) as error:
            if self._weights:
                return  # keep the last known weights
            raise FunctionFailedError(f"the alias cannot be read: {error}") from error
        others = (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
        self._weights = {alias["FunctionVersion"]: 1 - sum(others.values()), **others}
        self._read_at = self._clock()
        for version, running in list(self._running.items()):
            if version not in self._weights and self._clock() - running.used_at > IDLE_S:
                del self._running[version]
                threading.Thread(target=running.function.stop).start()  # stopping takes seconds
