"""The function under AWS's own runtime interface emulator."""

import json
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from contract.events import http_event
from local.emulator import Function, FunctionFailedError, ThrottledError

HEALTH = http_event("GET", "/v1/health")


@pytest.fixture
def function(bundle: Path, tmp_path: Path) -> Iterator[Function]:
    environment = {"MODEL_URI": bundle.as_uri(), "MODEL_CACHE": str(tmp_path / "models")}
    function = Function(environment=environment, logs=tmp_path / "logs", limit=2, patience_s=0.2)
    yield function
    function.stop()


def environments() -> list[psutil.Process]:
    """List the emulators that this process has started."""
    return [child for child in psutil.Process().children() if "aws-lambda-rie" in child.name()]


def test_a_call_is_answered_and_the_next_one_finds_the_model_warm(function: Function, tmp_path: Path) -> None:
    assert environments() == []
    answers = [function.invoke(HEALTH) for _ in range(3)]
    assert {answer["statusCode"] for answer in answers} == {200}
    assert len(environments()) == 1
    # in the init phase, before the first request, and once
    log = (tmp_path / "logs" / "function-1.log").read_text()
    assert log.count('"message":"model loaded"') == 1
    assert json.loads(next(line for line in log.splitlines() if "model loaded" in line))["load_ms"] > 0
    assert log.count("model loaded") == 1


def test_concurrent_calls_get_an_environment_each_and_those_over_the_limit_are_throttled(
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
    assert results.count("throttled") >= 1  # both environments were starting, which takes longer than the patience
    assert len(environments()) == 2


def test_an_environment_that_dies_fails_its_call_alone(function: Function) -> None:
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
