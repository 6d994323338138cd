"""Ends a run in good order when it is told to: by Ctrl-C, or by the SIGTERM before a machine is taken away."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from contract.errors import TrainingError

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_NOTHING_LOST: Final = "nothing half-written was left, and the same command starts the run again, or takes it up."


class RunInterruptedError(TrainingError):
    """The run was told to end by a signal, and did in good order: the same command goes on with it."""

    code, title = "interrupted", "The training run was interrupted"

    def __init__(self, sentence: str, signal_number: int) -> None:
        super().__init__(sentence)
        self.exit_status = 128 + signal_number  # as shells tell it: 130 for Ctrl-C, 143 for SIGTERM


class StopRequest:
    """Whether this process was told to end, and by what."""

    def __init__(self) -> None:
        self.by: signal.Signals | None = None
        self._deferred = False

    @property
    def requested(self) -> bool:
        """Whether a signal came."""
        return self.by is not None

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Let the first signal be asked for, and raise at the end; a second one raises where it comes all the same."""
        self._deferred = True
        try:
            yield
        finally:
            self._deferred = False
        if self.requested:
            raise self.error(_NOTHING_LOST)

    def error(self, sentence: str) -> RunInterruptedError:
        """Make the error that ends the run, once a signal came."""
        by = self.by or signal.SIGINT
        return RunInterruptedError(f"Interrupted by {by.name}: {sentence}", by)

    def _note(self, number: int, frame: FrameType | None) -> None:
        del frame
        first, self.by = self.by is None, signal.Signals(number)
        if not (self._deferred and first):
            raise self.error(_NOTHING_LOST)


@contextmanager
def watch_signals() -> Iterator[StopRequest]:
    """Catch SIGINT and SIGTERM; where Python does not let this thread, a request that is never made.

    Raises:
        RunInterruptedError: a signal came, wherever the code inside was then, unless that defers it.
    """
    stop = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.signal(number, stop._note) for number in SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
