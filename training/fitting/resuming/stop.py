"""Ends a run cleanly on Ctrl-C, or on the SIGTERM that comes before a spot instance is taken away."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from contract.errors import TrainingError

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_NO_PARTIAL_FILES: Final = "no partial files are left. The same command starts the run again, or resumes it."


class RunInterruptedError(TrainingError):
    """A signal ended the run cleanly. The same command resumes it."""

    code, title = "interrupted", "The training run was interrupted"

    def __init__(self, sentence: str, signal_number: int) -> None:
        super().__init__(sentence)
        self.exit_status = 128 + signal_number  # as a shell reports it: 130 for Ctrl-C, 143 for SIGTERM


class StopRequest:
    """The request of a signal to end this process, if there is one."""

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._deferred = False

    @property
    def requested(self) -> bool:
        """Whether a signal was received."""
        return self.received is not None

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Record the first signal in the block, which checks for it, and do not raise. A second signal raises at once.

        Raises:
            RunInterruptedError: at the end of the block, if a signal was received and the block did not raise.
        """
        self._deferred = True
        try:
            yield
        finally:
            self._deferred = False
        if self.requested:
            raise self.error(_NO_PARTIAL_FILES)

    def error(self, sentence: str) -> RunInterruptedError:
        """Make the error that ends the run after a signal."""
        received = self.received or signal.SIGINT
        return RunInterruptedError(f"Interrupted by {received.name}: {sentence}", received)

    def _handle(self, signal_number: int, frame: FrameType | None) -> None:
        del frame
        first, self.received = self.received is None, signal.Signals(signal_number)
        if not (self._deferred and first):
            raise self.error(_NO_PARTIAL_FILES)


@contextmanager
def watch_signals() -> Iterator[StopRequest]:
    """Handle SIGINT and SIGTERM while the block runs. Outside the main thread no signal is handled.

    Raises:
        RunInterruptedError: a signal was received and was not deferred.
    """
    stop = StopRequest()
    if threading.current_thread() is not threading.main_thread():  # Python lets only the main thread handle signals
        yield stop
        return
    before = {number: signal.signal(number, stop._handle) for number in SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
