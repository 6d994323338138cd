"""Signals: noted while they are deferred, raised otherwise, and their handlers restored afterwards."""

import os
import signal
import threading
from contextlib import nullcontext

import pytest

from training.fitting.resuming.stop import RunInterruptedError, watch_signals


def send(number: int) -> None:
    os.kill(os.getpid(), number)
    signal.sigtimedwait([], 0)  # the handler runs before the next line


def interrupted_by(*numbers: signal.Signals, deferred: bool = False) -> list[bool]:
    """Send signals one after another, and record after each one that did not raise whether a stop is requested."""
    noted: list[bool] = []
    with watch_signals() as stop, stop.deferred() if deferred else nullcontext():
        for number in numbers:
            send(number)
            noted.append(stop.requested)
    return noted


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_that_is_not_deferred_raises_at_once(number: signal.Signals, status: int) -> None:
    before = signal.getsignal(number)
    with pytest.raises(RunInterruptedError, match=f"Interrupted by {number.name}: no partial files") as caught:
        interrupted_by(number)
    assert caught.value.exit_status == status
    assert signal.getsignal(number) is before


def test_a_deferred_signal_is_noted() -> None:
    noted: list[bool] = []

    def step() -> None:
        with watch_signals() as stop, stop.deferred():
            noted.append(stop.requested)
            send(signal.SIGTERM)
            noted.append(stop.requested)
            raise stop.error("the run is saved.")

    with pytest.raises(RunInterruptedError, match=r"Interrupted by SIGTERM: the run is saved\."):
        step()
    assert noted == [False, True]


def test_a_second_signal_raises_at_once() -> None:
    with pytest.raises(RunInterruptedError, match="Interrupted by SIGINT") as caught:
        interrupted_by(signal.SIGTERM, signal.SIGINT, deferred=True)
    assert caught.value.exit_status == 130


def test_a_deferred_signal_is_raised_at_the_end_of_the_block() -> None:
    with pytest.raises(RunInterruptedError, match="Interrupted by SIGTERM: no partial files"):
        interrupted_by(signal.SIGTERM, deferred=True)
    assert interrupted_by(deferred=True) == []


def test_a_run_in_another_thread_gets_no_signals() -> None:
    requested: list[bool] = []

    def run() -> None:
        with watch_signals() as stop:
            requested.append(stop.requested)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert requested == [False]
