"""What a long run reports: a bar's progress, and lines for people."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

OnProgress = Callable[[str, int, int], None]  # what is being done, how many are done, of how many
Say = Callable[[str], None]  # a line for people


def ignore_progress(what: str, done: int, total: int) -> None:
    """Report progress to nobody."""


def ignore_line(line: str) -> None:
    """Say a line to nobody."""


@dataclass(frozen=True)
class Reporter:
    """Where a run reports to. Both default to nobody."""

    on_progress: OnProgress = ignore_progress
    say: Say = ignore_line

    @contextmanager
    def step(self, done: str) -> Iterator[None]:
        """Say how long the block took, once it has ended well.

        Args:
            done: in the past tense, as in "exported".
        """
        began = time.perf_counter()
        yield
        self.say(f"{done} in {time.perf_counter() - began:.1f} s")
