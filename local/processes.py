"""Programs started on this machine: each in a group of its own, writing to a log, and never left behind."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import urllib3

from local.errors import LocalStackError

HOST = "127.0.0.1"  # nothing of the local stack is reachable from another machine
STOP_GRACE_S = 10.0  # from asking a program to stop to ending it
POLL_S = 0.05


class Program:
    """One running program and whatever it starts itself."""

    def __init__(self, name: str, command: Sequence[str], *, environment: Mapping[str, str], log: Path) -> None:
        """Start it; its output goes to the end of `log`."""
        self.name, self.log = name, log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches the one who started the stack, who stops the rest in order
            )

    @property
    def pid(self) -> int:
        """The process, which leads its group."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def stop(self) -> None:
        """Ask the whole group to stop, and end what has not stopped after a while."""
        self._signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_GRACE_S)
        self._signal(signal.SIGKILL)
        self._process.wait()

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def wait_until(self, ready: Callable[[], bool], timeout_s: float) -> None:
        """Wait until it answers.

        Raises:
            LocalStackError: it ended, or it does not answer in time; its last words are in the message.
        """
        deadline = time.monotonic() + timeout_s
        while not ready():
            if not self.running:
                raise LocalStackError(f"The {self.name} stopped as it started: {self._last_words()}")
            if time.monotonic() > deadline:
                raise LocalStackError(f"The {self.name} does not answer after {timeout_s:.0f} s: {self._last_words()}")
            time.sleep(POLL_S)

    def _last_words(self) -> str:
        lines = [line for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        return f"{lines[-1].strip() if lines else 'it said nothing'} (all of it is in {self.log})"


def answers(url: str, statuses: Sequence[int] = (200,), *, timeout_s: float = 5.0) -> bool:
    """Tell whether a GET is answered with one of the statuses."""
    try:
        return urllib3.request("GET", url, timeout=timeout_s, retries=False).status in statuses
    except urllib3.exceptions.HTTPError:
        return False


def listens(port: int) -> bool:
    """Tell whether something accepts connections on a port of this machine."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((HOST, port)) == 0


def free_port() -> int:
    """Let the system choose a port that nothing uses now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def claim_port(port: int, what: str, option: str) -> int:
    """Check that a port can be used; 0 lets the system choose.

    Raises:
        LocalStackError: something else uses it.
    """
    if port == 0:
        return free_port()
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do; one that listens still refuses
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise LocalStackError(
                f"Port {port} for the {what} is taken: stop what uses it, or choose another with {option}."
            ) from error
    return port
