"""The contenders, each in a process of its own, asked in turn so that a slow moment of the machine falls on all."""

import contextlib
import importlib.util
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil

from benchmarks.serving.contenders import Contender

WARM_UP = 5  # answers that are not counted
STOP_S = 10.0


class ContenderError(Exception):
    """A contender ended before it answered."""


class Inputs(NamedTuple):
    """What every contender is given."""

    models: Path
    picture: Path
    pixels: Path
    size: int


class Row(NamedTuple):
    """What was measured of one contender, or the sentence that says why nothing was."""

    contender: Contender
    median_ms: float = 0.0
    opened_s: float = 0.0  # from the start of the process until it could be asked
    cold_s: float = 0.0  # from the start of the process to the first answer
    peak_mb: float = 0.0  # of all its processes together
    missing: str | None = None


class Worker:
    """A contender's process."""

    def __init__(self, contender: Contender, inputs: Inputs, log: Path) -> None:
        """Start it, and wait for its first answer."""
        self.contender = contender
        arguments = [contender.name, *map(str, inputs)]
        began_s = time.time()
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-W", "ignore", "-m", "benchmarks.serving.worker", *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        try:
            first = json.loads(self._line(log))
        except BaseException:
            self.stop()
            raise
        began_s = first["began_s"] or began_s
        self.opened_s, self.cold_s = first["opened_s"] - began_s, first["answered_s"] - began_s
        self._client_only = first["began_s"] is not None
        self._log = log

    def ask(self, times: int) -> list[float]:
        """Let it answer some times; the milliseconds of each."""
        assert self._process.stdin is not None  # noqa: S101  a pipe, as asked for above
        self._process.stdin.write(f"{times}\n")
        self._process.stdin.flush()
        return [float(one) for one in json.loads(self._line(self._log))]

    def peak_mb(self) -> float:
        """Add up what each of its processes took at most; a client that only asks a server is not counted."""
        process = psutil.Process(self._process.pid)
        family = [*([] if self._client_only else [process]), *process.children(recursive=True)]
        return sum(_high_water_mb(member.pid) for member in family)

    def stop(self) -> None:
        """End it and all that it started."""
        family = [psutil.Process(self._process.pid), *psutil.Process(self._process.pid).children(recursive=True)]
        for member in reversed(family):
            with contextlib.suppress(psutil.NoSuchProcess):
                member.terminate()
        for member in psutil.wait_procs(family, STOP_S)[1]:
            member.kill()
        self._process.communicate()

    def _line(self, log: Path) -> str:
        assert self._process.stdout is not None  # noqa: S101
        if line := self._process.stdout.readline():
            return line
        words = log.read_text(errors="replace").strip().splitlines()
        raise ContenderError(f"it ended: {words[-1][:200] if words else 'it said nothing'}")


@contextmanager
def worker_of(contender: Contender, inputs: Inputs, log: Path) -> Iterator[Worker]:
    """Start a contender, and end it afterwards."""
    worker = Worker(contender, inputs, log)
    try:
        yield worker
    finally:
        worker.stop()


def measure(
    contenders: Sequence[Contender], inputs: Inputs, logs: Path, *, rounds: int, runs: int, starts: int
) -> list[Row]:
    """Measure all of them: first their starts, in turn, then their answers, in turn.

    Args:
        contenders: what to measure.
        inputs: what they are given.
        logs: a folder for what they say.
        rounds: times that each gets its turn.
        runs: answers in a turn.
        starts: processes of each that are started for the cold start, at least two.
    """
    rows: dict[str, Row] = {}
    cold: dict[str, list[tuple[float, float]]] = {contender.name: [] for contender in contenders}
    there = []
    for contender in contenders:
        if reason := _missing(contender, inputs):
            rows[contender.name] = Row(contender, missing=reason)
        else:
            there.append(contender)
    for _ in range(starts - 1):
        for contender in list(there):
            try:
                with worker_of(contender, inputs, _log(logs, contender)) as worker:
                    cold[contender.name].append((worker.opened_s, worker.cold_s))
            except ContenderError as error:
                rows[contender.name] = Row(contender, missing=str(error))
                there.remove(contender)
    with ExitStack() as stack:
        workers = [stack.enter_context(worker_of(one, inputs, _log(logs, one))) for one in there]
        times: dict[str, list[float]] = {one.name: [] for one in there}
        for worker in workers:
            cold[worker.contender.name].append((worker.opened_s, worker.cold_s))
            worker.ask(WARM_UP)
        for _ in range(rounds):
            for worker in workers:
                times[worker.contender.name] += worker.ask(runs + 1)[1:]  # the first finds the caches of another
        for worker in workers:
            name = worker.contender.name
            opened_s, cold_s = (statistics.median(column) for column in zip(*cold[name], strict=True))
            median_ms = statistics.median(times[name])
            rows[name] = Row(worker.contender, median_ms, opened_s, cold_s, worker.peak_mb())
    return [rows[contender.name] for contender in contenders]


def _missing(contender: Contender, inputs: Inputs) -> str | None:
    if contender.package and importlib.util.find_spec(contender.package) is None:
        return f"its package {contender.package} is not installed: `make bench` installs it on Linux on x86-64"
    if not (inputs.models / contender.model).exists():
        return "this bundle has no int8 model: its own file is fp32"
    return None


def _log(logs: Path, contender: Contender) -> Path:
    return logs / f"{contender.name.replace(' ', '-').replace(',', '')}.log"


def _high_water_mb(pid: int) -> float:
    """Read the largest resident set that a process ever had (proc(5), VmHWM)."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM:")), 0.0)
