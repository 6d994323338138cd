"""Start and stop of the stack: ports, folders, and no orphan processes."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import urllib3

from local.errors import LocalStackError
from local.processes import HOST, Program, responds
from local.stack import LocalStack, Ports
from local.state import STATE, read_state, stop_stack

FREE_PORTS = Ports(page=0, api=0, aws=0)


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server((HOST, 0)) as server:
        yield server.getsockname()[1]


def test_the_error_of_a_taken_port_names_the_option_for_another(tmp_path: Path, taken_port: int) -> None:
    with (
        pytest.raises(LocalStackError, match=f"Port {taken_port} for the page is taken.*--page-port"),
        LocalStack(tmp_path, ports=Ports(page=taken_port, api=0, aws=0)),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_second_stack_in_the_same_folder_is_an_error(tmp_path: Path) -> None:
    with (
        LocalStack(tmp_path, ports=FREE_PORTS),
        pytest.raises(LocalStackError, match=r"already runs.*lesion local down"),
        LocalStack(tmp_path, ports=FREE_PORTS),
    ):
        pass
    with LocalStack(tmp_path, ports=FREE_PORTS):
        pass  # the first stack released the folder


def test_without_a_model_the_api_answers_503_and_the_page_runs(tmp_path: Path) -> None:
    with LocalStack(tmp_path, ports=FREE_PORTS) as stack:
        aws_url = stack.start_aws()
        api_url, page_url = stack.start_api(None), stack.start_page()
        state = read_state(tmp_path)
        assert state is not None
        assert state["urls"] == {"aws": aws_url, "api": api_url, "page": page_url}
        health = urllib3.request("GET", f"{api_url}/v1/health", retries=False)
        assert (health.status, health.json()["code"]) == (503, "model_unavailable")
        assert responds(f"{page_url}/healthz")
        running = psutil.Process().children(recursive=True)
        assert len(running) >= 5  # moto, the gateway, the emulator, the function, gunicorn
    assert psutil.wait_procs(running, timeout=10)[1] == []
    assert read_state(tmp_path) is None


def test_the_error_of_a_program_that_ended_names_its_log(tmp_path: Path) -> None:
    with LocalStack(tmp_path, ports=FREE_PORTS) as stack:
        stack.start_aws()
        state = read_state(tmp_path)
        assert state is not None
        os.kill(state["programs"][0]["pid"], signal.SIGKILL)
        with pytest.raises(LocalStackError, match=r"The AWS APIs ended by itself.*aws\.log"):
            stack.wait()


def test_the_error_of_a_failed_start_quotes_the_log(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit('no such flag')"]
    program = Program("thing", command, environment={}, log=tmp_path / "log")
    with pytest.raises(LocalStackError, match="The thing stopped during its start: no such flag"):
        program.wait_until(lambda: False, 30)
    program.stop()


STACK = """
import pathlib, sys
from local.stack import LocalStack, Ports
with LocalStack(pathlib.Path(sys.argv[1]), ports=Ports(page=0, api=0, aws=0)) as stack:
    stack.start_aws()
    try:
        print("ready", flush=True)
        stack.wait()
    except KeyboardInterrupt:
        print("stopped in order")
"""


@pytest.fixture
def running_stack(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A stack in another process."""
    process = subprocess.Popen([sys.executable, "-c", STACK, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process:
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


def test_a_stack_of_another_process_is_stopped(running_stack: subprocess.Popen[str], tmp_path: Path) -> None:
    parts = psutil.Process(running_stack.pid).children(recursive=True)
    assert parts
    assert stop_stack(tmp_path) is True
    assert running_stack.communicate(timeout=10)[0] == "stopped in order\n"
    assert psutil.wait_procs(parts, timeout=10)[1] == []
    assert stop_stack(tmp_path) is False


def test_the_orphans_of_a_killed_stack_are_killed(running_stack: subprocess.Popen[str], tmp_path: Path) -> None:
    parts = psutil.Process(running_stack.pid).children(recursive=True)
    running_stack.kill()
    running_stack.wait()
    assert any(part.is_running() for part in parts)
    assert stop_stack(tmp_path) is False
    assert psutil.wait_procs(parts, timeout=10)[1] == []
    assert not (tmp_path / STATE).exists()


def test_a_process_with_a_reused_id_is_not_killed(tmp_path: Path) -> None:
    bystander = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True)
    program = {"name": "page", "pid": bystander.pid, "started": 1.0}
    (tmp_path / STATE).write_text(json.dumps({"pid": bystander.pid, "started": 1.0, "urls": {}, "programs": [program]}))
    assert read_state(tmp_path) is None
    assert stop_stack(tmp_path) is False
    assert bystander.poll() is None
    bystander.communicate(b"\n", timeout=10)
