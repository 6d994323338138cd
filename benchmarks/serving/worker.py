"""One contender in a process of its own: answers once as it starts, then as often as a line on its input says."""

import importlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.serving.contenders import BY_NAME


class Job(NamedTuple):
    """What a contender is made from."""

    model: Path
    threads: int
    picture: Path  # a JPEG
    pixels: Path  # the same, decoded: .npy of uint8 (1, size, size, 3)
    size: int


class Ready(NamedTuple):
    """A contender that can be asked."""

    ask: Callable[[], Any]
    began_s: float | None = None  # when its server was started, if that is not this process
    opened_s: float | None = None  # when it could be asked first


def main() -> None:
    """Make the contender named on the command line; `[name, folder, picture, pixels, size]`."""
    name, folder, picture, pixels, size = sys.argv[1:]
    contender = BY_NAME[name]
    job = Job(Path(folder) / contender.model, contender.threads, Path(picture), Path(pixels), int(size))
    room, make = contender.make.split(":")
    out, sys.stdout = sys.stdout, sys.stderr  # what a library prints is no answer of ours
    ready: Ready = getattr(importlib.import_module(room), make)(job)
    opened_s = ready.opened_s or time.time()
    ready.ask()
    print(json.dumps({"began_s": ready.began_s, "opened_s": opened_s, "answered_s": time.time()}), file=out, flush=True)
    for line in sys.stdin:
        times = []
        for _ in range(int(line)):
            began = time.perf_counter()
            ready.ask()
            times.append(1000 * (time.perf_counter() - began))
        print(json.dumps(times), file=out, flush=True)


if __name__ == "__main__":
    main()
