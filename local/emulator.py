"""The classify function under AWS's own Lambda runtime interface emulator, one process for each concurrent call."""

import json
import platform
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import urllib3

from local.errors import LocalStackError
from local.processes import HOST, Program, free_port, listens

INVOKE_PATH = "/2015-03-31/functions/function/invocations"
FUNCTION = [sys.executable, "-m", "functions.classify"]  # what the container runs, too
START_TIMEOUT_S = 30.0
FUNCTION_TIMEOUT_S = 20  # within the 30 s after which an HTTP API gives up
MEMORY_MB = 1769  # one vCPU


class ThrottledError(Exception):
    """As many calls as are allowed are under way."""


class FunctionFailedError(Exception):
    """The function raised, timed out or crashed: API Gateway would answer 500."""


def emulator_binary() -> Path:
    """Find the emulator, which `make` installs beside the packages.

    Raises:
        LocalStackError: it is not there, or there is none for this machine.
    """
    architecture = {"x86_64": "x86_64", "aarch64": "arm64"}.get(platform.machine())
    if platform.system() != "Linux" or architecture is None:
        raise LocalStackError("AWS's Lambda emulator runs on Linux alone (x86-64 or Arm): use a Linux machine or VM.")
    binary = Path(sys.prefix) / "emulator" / "samcli" / "local" / "rapid" / f"aws-lambda-rie-{architecture}"
    if not binary.exists():
        raise LocalStackError("AWS's Lambda emulator is not installed: run `make setup`.")
    return binary


class Place(Protocol):
    """Where the function runs, other than beside this process: a container."""

    emulator: str  # the emulator's path there
    function: list[str]  # the command that starts the function

    def command(self, command: Sequence[str], environment: Mapping[str, str]) -> list[str]:
        """Word how a command is run there."""


class Emulator:
    """One execution environment: it answers one call at a time, and keeps its model between calls."""

    def __init__(
        self,
        name: str,
        environment: Mapping[str, str],
        log: Path,
        *,
        place: Place | None = None,
        log_level: str = "error",
    ) -> None:
        """Start it; the function itself starts with the first call, as in Lambda. At level info it reports the init."""
        port = free_port()
        command = [
            place.emulator if place else str(emulator_binary()),
            *("--log-level", log_level),
            *("--runtime-interface-emulator-address", f"{HOST}:{port}"),
            *("--runtime-api-address", f"{HOST}:{free_port()}"),
            *(place.function if place else FUNCTION),
        ]
        lambda_environment = {
            "AWS_LAMBDA_FUNCTION_NAME": "classify",
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(FUNCTION_TIMEOUT_S),
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(MEMORY_MB),
            "POWERTOOLS_TRACE_DISABLED": "true",  # there is no X-Ray daemon here
        }
        environment = {**environment, **lambda_environment}
        if place:
            command = place.command(command, environment)
        else:  # as in Lambda, and in the image: X-Ray's SDK then builds no client to ask how often to sample
            environment["LAMBDA_TASK_ROOT"] = str(Path.cwd())
        self._program = Program(name, command, environment=environment, log=log)
        try:
            self._program.wait_until(lambda: listens(port), START_TIMEOUT_S)
        except LocalStackError:
            self._program.stop()
            raise
        timeout = urllib3.Timeout(connect=5.0, read=START_TIMEOUT_S + FUNCTION_TIMEOUT_S)
        self._http = urllib3.HTTPConnectionPool(HOST, port, maxsize=1, timeout=timeout, retries=False)

    @property
    def pid(self) -> int:
        """The process, which leads the group of all that belongs to it."""
        return self._program.pid

    @property
    def running(self) -> bool:
        """Whether it can take calls."""
        return self._program.running

    def invoke(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Call the function.

        Raises:
            FunctionFailedError: it raised, timed out or crashed.
        """
        try:
            answer = self._http.request("POST", INVOKE_PATH, body=json.dumps(event))
            result = json.loads(answer.data)
        except (urllib3.exceptions.HTTPError, ValueError) as error:
            raise FunctionFailedError(f"the emulator gave no answer that can be read: {error}") from error
        if not isinstance(result, dict) or "errorType" in result:  # the emulator says this with HTTP 200
            raise FunctionFailedError(f"the function failed: {json.dumps(result)[:500]}")
        return result

    def stop(self) -> None:
        """Stop it and the function."""
        self._http.close()
        self._program.stop()


class Function:
    """The function as Lambda runs it: a new environment for each concurrent call, up to a limit."""

    def __init__(self, *, environment: Mapping[str, str], logs: Path, limit: int, patience_s: float = 5.0) -> None:
        """Start nothing yet.

        Args:
            environment: what the function reads, on top of this process's own.
            logs: the folder for a log of each environment.
            limit: of concurrent calls.
            patience_s: how long a call over the limit waits for another to end before it is turned away.
        """
        self._environment, self._logs, self._limit, self._patience_s = environment, logs, limit, patience_s
        self._changed = threading.Condition()
        self._idle: list[Emulator] = []
        self._count = 0  # idle and busy
        self._started = 0
        self._stopped = False

    def invoke(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Call the function in a warm environment if there is one, else in a new one.

        Raises:
            ThrottledError: the limit is reached.
            FunctionFailedError: it raised, timed out or crashed; that environment is not used again.
        """
        emulator = self._take()
        try:
            result = emulator.invoke(event)
        except BaseException:
            self._drop(emulator)
            raise
        with self._changed:
            self._idle.append(emulator)
            self._changed.notify()
        return result

    def stop(self) -> None:
        """Stop every environment that is not in a call, and each other as its call ends."""
        with self._changed:
            self._stopped = True
            idle, self._idle = self._idle, []
        for emulator in idle:
            emulator.stop()

    def _take(self) -> Emulator:
        deadline = time.monotonic() + self._patience_s
        with self._changed:
            while True:
                while self._idle:
                    emulator = self._idle.pop()  # the one used last is the warmest
                    if emulator.running:
                        return emulator
                    self._count -= 1
                if self._stopped:
                    raise ThrottledError
                if self._count < self._limit:
                    self._count += 1
                    self._started += 1
                    number = self._started
                    break
                if not self._changed.wait(deadline - time.monotonic()):
                    raise ThrottledError
        try:
            return Emulator(f"function {number}", self._environment, self._logs / f"function-{number}.log")
        except BaseException:
            self._forget()
            raise

    def _drop(self, emulator: Emulator) -> None:
        emulator.stop()
        self._forget()

    def _forget(self) -> None:
        with self._changed:
            self._count -= 1
            self._changed.notify()
