"""The reports of a long run: progress for a bar, and log lines for people."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

OnProgress = Callable[[str, int, int], None]  # name of the step, done, total
Log = Callable[[str], None]  # takes a line for people


def ignore_progress(step: str, done: int, total: int) -> None:
    """Discard progress."""


def ignore_line(line: str) -> None:
    """Discard a line."""


@dataclass(frozen=True)
class Reporter:
    """The functions that a run reports to. The defaults discard everything."""

    on_progress: OnProgress = ignore_progress
    log: Log = ignore_line

    @contextmanager
    def step(self, done: str) -> Iterator[None]:
        """Log the duration of the block, when it ends without an error.

        Args:
            done: a verb in the past tense, such as "exported".
        """
        began = time.perf_counter()
        yield
        self.log(f"{done} in {time.perf_counter() - began:.1f} s")


SILENT: Final = Reporter()
