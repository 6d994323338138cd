"""One execution environment of the classify function, under AWS's Lambda runtime interface emulator."""

import json
import platform
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import urllib3

from local.errors import LocalStackError
from local.processes import HOST, Program, accepts_connections, free_port

INVOKE_PATH = "/2015-03-31/functions/function/invocations"
ENTRY_POINT = [sys.executable, "-m", "functions.classify"]  # as in the container image
START_TIMEOUT_S = 30.0
FUNCTION_TIMEOUT_S = 20  # shorter than the 30 s timeout of an HTTP API
MEMORY_MB = 1769  # one vCPU


class FunctionFailedError(Exception):
    """The function raised an exception, timed out or crashed. API Gateway answers this with 500."""


def emulator_binary() -> Path:
    """Find the emulator, which `make setup` installs next to the packages.

    Raises:
        LocalStackError: the emulator is not installed, or does not exist for this platform.
    """
    architecture = {"x86_64": "x86_64", "aarch64": "arm64"}.get(platform.machine())
    if platform.system() != "Linux" or architecture is None:
        raise LocalStackError("AWS's Lambda emulator needs Linux on x86-64 or Arm: use a Linux machine or VM.")
    binary = Path(sys.prefix) / "emulator" / "samcli" / "local" / "rapid" / f"aws-lambda-rie-{architecture}"
    if not binary.exists():
        raise LocalStackError("AWS's Lambda emulator is not installed: run `make setup`.")
    return binary


class FunctionContainer(Protocol):
    """A container in which the emulator and the function can run, instead of directly on this machine."""

    emulator: str  # path inside the container
    entry_point: list[str]  # the image's command that starts the function

    def command(self, command: Sequence[str], environment: Mapping[str, str]) -> list[str]:
        """Return the command of this machine that runs `command` inside the container."""


class Emulator:
    """One execution environment: it handles one call at a time, and keeps the model loaded between calls."""

    def __init__(
        self,
        name: str,
        environment: Mapping[str, str],
        log: Path,
        *,
        container: FunctionContainer | None = None,
        log_level: str = "error",
    ) -> None:
        """Start the emulator. The function itself starts with the first call, as on Lambda.

        Args:
            name: for messages.
            environment: added to this process's environment variables.
            log: a file; output is appended.
            container: where to run; None runs on this machine.
            log_level: of the emulator; `info` reports the duration of the init phase.
        """
        port = free_port()
        command = [
            container.emulator if container else str(emulator_binary()),
            *("--log-level", log_level),
            *("--runtime-interface-emulator-address", f"{HOST}:{port}"),
            *("--runtime-api-address", f"{HOST}:{free_port()}"),
            *(container.entry_point if container else ENTRY_POINT),
        ]
        lambda_environment = {
            "AWS_LAMBDA_FUNCTION_NAME": "classify",
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(FUNCTION_TIMEOUT_S),
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(MEMORY_MB),
            "POWERTOOLS_TRACE_DISABLED": "true",  # no X-Ray daemon runs here
        }
        environment = {**environment, **lambda_environment}
        if container:
            command = container.command(command, environment)
        else:  # Lambda and the image set it; without it, X-Ray's SDK creates a client to ask for sampling rules
            environment["LAMBDA_TASK_ROOT"] = str(Path.cwd())
        self._program = Program(name, command, environment=environment, log=log)
        try:
            self._program.wait_until(lambda: accepts_connections(port), START_TIMEOUT_S)
        except BaseException:  # also Ctrl-C
            self._program.stop()
            raise
        timeout = urllib3.Timeout(connect=5.0, read=START_TIMEOUT_S + FUNCTION_TIMEOUT_S)
        self._http = urllib3.HTTPConnectionPool(HOST, port, maxsize=1, timeout=timeout, retries=False)

    @property
    def pid(self) -> int:
        """The process ID of the emulator, which leads the process group."""
        return self._program.pid

    @property
    def running(self) -> bool:
        """Whether the emulator still runs."""
        return self._program.running

    def invoke(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Call the function.

        Raises:
            FunctionFailedError: the function raised an exception, timed out or crashed.
        """
        try:
            response = self._http.request("POST", INVOKE_PATH, body=json.dumps(event))
            result = json.loads(response.data)
        except (urllib3.exceptions.HTTPError, ValueError) as error:
            raise FunctionFailedError(f"the emulator gave no readable response: {error}") from error
        if not isinstance(result, dict) or "errorType" in result:  # the emulator reports errors with HTTP 200
            raise FunctionFailedError(f"the function failed: {json.dumps(result)[:500]}")
        return result

    def stop(self) -> None:
        """Stop the emulator and the function."""
        self._http.close()
        self._program.stop()
