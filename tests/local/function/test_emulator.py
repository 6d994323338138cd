"""Execution environments of the function under AWS's runtime interface emulator, and their concurrency."""

import json
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from contract.events import http_event
from local.function.concurrency import Function, ThrottledError
from local.function.emulator import FunctionFailedError

HEALTH = http_event("GET", "/v1/health")


@pytest.fixture
def function(bundle: Path, tmp_path: Path) -> Iterator[Function]:
    environment = {"MODEL_URI": bundle.as_uri(), "MODEL_CACHE": str(tmp_path / "models")}
    function = Function(environment=environment, logs=tmp_path / "logs", concurrency=2, max_wait_s=0.2)
    yield function
    function.stop()


def environments() -> list[psutil.Process]:
    """List the emulators that this process started."""
    return [child for child in psutil.Process().children() if "aws-lambda-rie" in child.name()]


def test_the_model_is_loaded_once_for_several_calls(function: Function, tmp_path: Path) -> None:
    assert environments() == []
    answers = [function.invoke(HEALTH) for _ in range(3)]
    assert {answer["statusCode"] for answer in answers} == {200}
    assert len(environments()) == 1
    # once, during the init phase
    log = (tmp_path / "logs" / "function-1.log").read_text()
    assert log.count('"message":"model loaded"') == 1
    assert json.loads(next(line for line in log.splitlines() if "model loaded" in line))["load_ms"] > 0
    assert log.count("model loaded") == 1


def test_each_concurrent_call_gets_its_own_environment_and_calls_above_the_limit_are_throttled(
    function: Function,
) -> None:
    def invoke(_: int) -> int | str:
        try:
            return int(function.invoke(HEALTH)["statusCode"])
        except ThrottledError:
            return "throttled"

    with ThreadPoolExecutor(6) as threads:
        results = list(threads.map(invoke, range(6)))
    assert results.count(200) >= 2
    assert results.count("throttled") >= 1  # a start takes longer than max_wait_s
    assert len(environments()) == 2


def test_a_crash_fails_at_most_one_call_and_the_next_one_succeeds(function: Function) -> None:
    function.invoke(HEALTH)
    (emulator,) = environments()
    (runtime,) = emulator.children()
    os.kill(runtime.pid, signal.SIGKILL)
    psutil.wait_procs([runtime], timeout=5)
    statuses = []
    for _ in range(2):
        try:
            statuses.append(function.invoke(HEALTH)["statusCode"])
        except FunctionFailedError:
            statuses.append("failed")
    assert statuses[-1] == 200


def test_stopping_leaves_no_process(function: Function) -> None:
    function.invoke(HEALTH)
    family = [process for emulator in environments() for process in (emulator, *emulator.children(recursive=True))]
    assert len(family) == 2
    function.stop()
    assert psutil.wait_procs(family, timeout=10)[1] == []
    with pytest.raises(ThrottledError):
        function.invoke(HEALTH)


def test_an_environment_that_is_busy_at_the_stop_is_stopped_after_its_call(function: Function) -> None:
    with ThreadPoolExecutor(1) as threads:
        call = threads.submit(function.invoke, HEALTH)
        while not environments():
            time.sleep(0.01)
        function.stop()
        assert call.result()["statusCode"] == 200
    assert environments() == []
