"""Child processes of the local stack: each leads a process group, logs to a file, and stops with all its children."""

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

import urllib3

from local.errors import LocalStackError

HOST = "127.0.0.1"  # no other machine can reach the local stack
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # Ctrl-C, `kill`, a terminal that is closed
STOP_GRACE_S = 10.0  # between SIGTERM and SIGKILL
POLL_S = 0.05


class Program:
    """One running program, together with the processes that it starts."""

    def __init__(self, name: str, command: Sequence[str], *, environment: Mapping[str, str], log: Path) -> None:
        """Start the program and append its output to `log`."""
        self.name, self.log = name, log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output, ExitStack() as stop_on_error:
            with _delayed_signals():  # in the middle of a start, an error would leave a process that nobody knows
                self._process = subprocess.Popen(
                    command,
                    env={**os.environ, **environment},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,  # Ctrl-C then reaches only the parent, which stops its programs in order
                )
                stop_on_error.callback(self.stop)
            stop_on_error.pop_all()

    @property
    def pid(self) -> int:
        """The process ID, which is also the ID of the process group."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the program still runs."""
        return self._process.poll() is None

    def stop(self) -> None:
        """Send SIGTERM to the process group, wait up to STOP_GRACE_S, then send SIGKILL."""
        self._signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_GRACE_S)
        self._signal(signal.SIGKILL)
        self._process.wait()

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def wait_until(self, ready: Callable[[], bool], timeout_s: float) -> None:
        """Wait until `ready()` is true.

        Raises:
            LocalStackError: the program ended, or the time is over; the message quotes the last line of its log.
        """
        deadline = time.monotonic() + timeout_s
        while not ready():
            if not self.running:
                raise LocalStackError(f"The {self.name} stopped during its start: {self._last_log_line()}")
            if time.monotonic() > deadline:
                raise LocalStackError(
                    f"The {self.name} does not respond after {timeout_s:.0f} s: {self._last_log_line()}"
                )
            time.sleep(POLL_S)

    def _last_log_line(self) -> str:
        lines = [line for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        return f"{lines[-1].strip() if lines else 'it printed nothing'} (the full log is {self.log})"


@contextmanager
def ignored_signals() -> Iterator[None]:
    """Ignore Ctrl-C, SIGTERM and SIGHUP while programs are stopped: a second one would leave some running."""
    with _handled_signals(lambda *_: None):
        yield


@contextmanager
def _delayed_signals() -> Iterator[None]:
    """Handle Ctrl-C, SIGTERM and SIGHUP at the end of the block."""
    received: list[int] = []
    with _handled_signals(lambda number, _: received.append(number)):
        yield
    for number in received:
        signal.raise_signal(number)


@contextmanager
def _handled_signals(handle: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Handle the stop signals with a function; a signal that is ignored, as under nohup, stays ignored."""
    if threading.current_thread() is not threading.main_thread():  # only the main thread handles signals
        yield
        return
    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    handled = {number: handler for number, handler in before.items() if handler not in (signal.SIG_IGN, None)}
    for number in handled:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in handled.items():
            signal.signal(number, handler)


def responds(url: str, statuses: Sequence[int] = (200,), *, timeout_s: float = 5.0) -> bool:
    """Return whether a GET request gets one of the statuses."""
    try:
        return urllib3.request("GET", url, timeout=timeout_s, retries=False).status in statuses
    except urllib3.exceptions.HTTPError:
        return False


def accepts_connections(port: int) -> bool:
    """Return whether a server listens on a port of this machine."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((HOST, port)) == 0


def free_port() -> int:
    """Let the operating system choose a port that is free now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def check_port(port: int, purpose: str, option: str) -> int:
    """Return the port if it is free; for 0, return any free port.

    Raises:
        LocalStackError: another program uses the port. The message names the purpose and the option.
    """
    if port == 0:
        return free_port()
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do; a listening server still refuses
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise LocalStackError(
                f"Port {port} for the {purpose} is taken: stop the program that uses it, or choose another port "
                f"with {option}."
            ) from error
    return port
