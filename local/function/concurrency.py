"""Concurrent calls as Lambda handles them: one execution environment for each, up to a limit, and 429 above it."""

import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local.function.emulator import Emulator


class ThrottledError(Exception):
    """The limit of concurrent calls is reached."""


class Function:
    """One version of the function: it starts execution environments as calls need them, and reuses them."""

    def __init__(
        self, *, environment: Mapping[str, str], logs: Path, concurrency: int, max_wait_s: float = 5.0
    ) -> None:
        """Start nothing yet.

        Args:
            environment: added to this process's environment variables.
            logs: a folder; each execution environment gets its own log file.
            concurrency: the limit of concurrent calls.
            max_wait_s: how long a call above the limit waits for another call to end before it is throttled.
        """
        self._environment, self._logs, self._concurrency = environment, logs, concurrency
        self._max_wait_s = max_wait_s
        self._changed = threading.Condition()
        self._idle: list[Emulator] = []
        self._count = 0  # idle and busy
        self._started = 0
        self._stopped = False

    def invoke(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Call the function in an idle execution environment if there is one, else in a new one.

        Raises:
            ThrottledError: the limit is reached.
            FunctionFailedError: the function failed; its execution environment is not used again.
        """
        emulator = self._acquire()
        try:
            result = emulator.invoke(event)
        except BaseException:
            self._discard(emulator)
            raise
        with self._changed:
            if not self._stopped:
                self._idle.append(emulator)
                self._changed.notify()
                return result
        self._discard(emulator)
        return result

    def stop(self) -> None:
        """Stop every idle execution environment now, and each busy one after its call; throttle all further calls."""
        with self._changed:
            self._stopped = True
            idle, self._idle = self._idle, []
        for emulator in idle:
            emulator.stop()

    def _acquire(self) -> Emulator:
        deadline = time.monotonic() + self._max_wait_s
        with self._changed:
            while True:
                while self._idle:
                    emulator = self._idle.pop()  # the most recently used one
                    if emulator.running:
                        return emulator
                    self._count -= 1
                if self._stopped:
                    raise ThrottledError
                if self._count < self._concurrency:
                    self._count += 1
                    self._started += 1
                    number = self._started
                    break
                if not self._changed.wait(deadline - time.monotonic()):
                    raise ThrottledError
        try:
            return Emulator(f"function {number}", self._environment, self._logs / f"function-{number}.log")
        except BaseException:
            self._release()
            raise

    def _discard(self, emulator: Emulator) -> None:
        emulator.stop()
        self._release()

    def _release(self) -> None:
        with self._changed:
            self._count -= 1
            self._changed.notify()
