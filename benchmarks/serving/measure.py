"""Measures the candidates: each in its own process, in turns, so that a slow moment of the machine affects all."""

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

from benchmarks.serving.candidates import Candidate

WARM_UP = 5  # predictions before the measurement
STOP_S = 10.0


class CandidateError(Exception):
    """The process of a candidate ended before its prediction."""


class Inputs(NamedTuple):
    """The files and the size that every candidate gets."""

    models: Path  # the folder of `model_files.prepare`
    picture: Path  # a JPEG
    pixels: Path  # the decoded picture: .npy of uint8 (1, size, size, 3)
    size: int  # px


class Row(NamedTuple):
    """The measurements of one candidate, or the reason why there are none."""

    candidate: Candidate
    median_ms: float = 0.0
    opened_s: float = 0.0  # from the start of the process until it is ready for a prediction
    cold_s: float = 0.0  # from the start of the process to the end of the first prediction
    peak_mb: float = 0.0  # sum over its processes
    missing: str | None = None


class Worker:
    """The process of one candidate."""

    def __init__(self, candidate: Candidate, inputs: Inputs, log: Path) -> None:
        """Start the process, and wait for its first prediction."""
        self.candidate = candidate
        arguments = [candidate.name, *map(str, inputs)]
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

    def predict(self, count: int) -> list[float]:
        """Let it predict `count` times; return the milliseconds of each prediction."""
        assert self._process.stdin is not None  # noqa: S101
        self._process.stdin.write(f"{count}\n")
        self._process.stdin.flush()
        return [float(time_ms) for time_ms in json.loads(self._line(self._log))]

    def peak_mb(self) -> float:
        """Add up the peak memory of its processes, except that of a process that is only the client of a server."""
        process = psutil.Process(self._process.pid)
        family = [*([] if self._client_only else [process]), *process.children(recursive=True)]
        return sum(_high_water_mb(member.pid) for member in family)

    def stop(self) -> None:
        """Stop the process and all that it started."""
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
        lines = log.read_text(errors="replace").strip().splitlines()
        raise CandidateError(f"it ended: {lines[-1][:200] if lines else 'it printed nothing'}")


@contextmanager
def running_worker(candidate: Candidate, inputs: Inputs, log: Path) -> Iterator[Worker]:
    """Start a candidate, and stop it afterwards."""
    worker = Worker(candidate, inputs, log)
    try:
        yield worker
    finally:
        worker.stop()


def measure(
    candidates: Sequence[Candidate], inputs: Inputs, logs: Path, *, rounds: int, runs: int, starts: int
) -> list[Row]:
    """Measure the cold starts of all candidates in turns, then their predictions in turns.

    Args:
        candidates: to measure.
        inputs: the files that they get.
        logs: a folder for their logs.
        rounds: number of turns of each candidate.
        runs: predictions in a turn.
        starts: cold starts of each candidate, at least two.
    """
    rows: dict[str, Row] = {}
    cold: dict[str, list[tuple[float, float]]] = {candidate.name: [] for candidate in candidates}
    available = []
    for candidate in candidates:
        if reason := _missing(candidate, inputs):
            rows[candidate.name] = Row(candidate, missing=reason)
        else:
            available.append(candidate)
    for _ in range(starts - 1):
        for candidate in list(available):
            try:
                with running_worker(candidate, inputs, _log(logs, candidate)) as worker:
                    cold[candidate.name].append((worker.opened_s, worker.cold_s))
            except CandidateError as error:
                rows[candidate.name] = Row(candidate, missing=str(error))
                available.remove(candidate)
    with ExitStack() as stack:
        workers = [stack.enter_context(running_worker(one, inputs, _log(logs, one))) for one in available]
        times: dict[str, list[float]] = {one.name: [] for one in available}
        for worker in workers:
            cold[worker.candidate.name].append((worker.opened_s, worker.cold_s))
            worker.predict(WARM_UP)
        for _ in range(rounds):
            for worker in workers:
                times[worker.candidate.name] += worker.predict(runs + 1)[1:]  # the first runs with cold CPU caches
        for worker in workers:
            name = worker.candidate.name
            opened_s, cold_s = (statistics.median(column) for column in zip(*cold[name], strict=True))
            median_ms = statistics.median(times[name])
            rows[name] = Row(worker.candidate, median_ms, opened_s, cold_s, worker.peak_mb())
    return [rows[candidate.name] for candidate in candidates]


def _missing(candidate: Candidate, inputs: Inputs) -> str | None:
    if candidate.package and importlib.util.find_spec(candidate.package) is None:
        return f"its package {candidate.package} is not installed: `make bench` installs it on Linux on x86-64"
    if not (inputs.models / candidate.model).exists():
        return "this bundle has no int8 model: its own file is fp32"
    return None


def _log(logs: Path, candidate: Candidate) -> Path:
    return logs / f"{candidate.name.replace(' ', '-').replace(',', '')}.log"


def _high_water_mb(pid: int) -> float:
    """Read the largest resident set that a process ever had (proc(5), VmHWM)."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM:")), 0.0)
