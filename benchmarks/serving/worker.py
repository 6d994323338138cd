"""The process of one candidate: predicts once at its start, then as many times as each line of its input requests."""

import importlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.serving.candidates import BY_NAME


class Setup(NamedTuple):
    """The arguments of the function that prepares a candidate."""

    model: Path
    threads: int
    picture: Path  # a JPEG
    pixels: Path  # the decoded picture: .npy of uint8 (1, size, size, 3)
    size: int  # px


class Ready(NamedTuple):
    """A candidate that is ready for predictions."""

    predict: Callable[[], Any]
    began_s: float | None = None  # start of its server, in seconds since 1970; None: this process is the candidate


def main() -> None:
    """Prepare the candidate of the command line `name folder picture pixels size`, and predict."""
    name, folder, picture, pixels, size = sys.argv[1:]
    candidate = BY_NAME[name]
    setup = Setup(Path(folder) / candidate.model, candidate.threads, Path(picture), Path(pixels), int(size))
    module, function = candidate.make.split(":")
    out, sys.stdout = sys.stdout, sys.stderr  # libraries must not print between the results
    ready: Ready = getattr(importlib.import_module(module), function)(setup)
    opened_s = time.time()
    ready.predict()
    print(json.dumps({"began_s": ready.began_s, "opened_s": opened_s, "answered_s": time.time()}), file=out, flush=True)
    for line in sys.stdin:
        times = []
        for _ in range(int(line)):
            began = time.perf_counter()
            ready.predict()
            times.append(1000 * (time.perf_counter() - began))
        print(json.dumps(times), file=out, flush=True)


if __name__ == "__main__":
    main()
