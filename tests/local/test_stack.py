"""The stack from its start to its end: ports, folders, and never a process left behind."""

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
from local.processes import HOST, Program, answers
from local.stack import STATE, LocalStack, Ports, read_state, stop

ANY = Ports(page=0, api=0, aws=0)


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server((HOST, 0)) as server:
        yield server.getsockname()[1]


def test_a_taken_port_is_named_with_the_option_that_chooses_another(tmp_path: Path, taken_port: int) -> None:
    with (
        pytest.raises(LocalStackError, match=f"Port {taken_port} for the page is taken.*--page-port"),
        LocalStack(tmp_path, ports=Ports(page=taken_port, api=0, aws=0)),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_two_stacks_do_not_share_a_folder(tmp_path: Path) -> None:
    with (
        LocalStack(tmp_path, ports=ANY),
        pytest.raises(LocalStackError, match=r"already runs.*lesion local down"),
        LocalStack(tmp_path, ports=ANY),
    ):
        pass
    with LocalStack(tmp_path, ports=ANY):
        pass  # the first one freed it


def test_without_a_model_the_api_says_so_and_the_page_is_up(tmp_path: Path) -> None:
    with LocalStack(tmp_path, ports=ANY) as stack:
        aws_url = stack.start_aws()
        api_url, page_url = stack.start_api(None), stack.start_page()
        state = read_state(tmp_path)
        assert state is not None
        assert state["urls"] == {"aws": aws_url, "api": api_url, "page": page_url}
        health = urllib3.request("GET", f"{api_url}/v1/health", retries=False)
        assert (health.status, health.json()["code"]) == (503, "model_unavailable")
        assert answers(f"{page_url}/healthz")
        running = psutil.Process().children(recursive=True)
        assert len(running) >= 5  # moto, the gateway, the emulator, the function, gunicorn
    assert psutil.wait_procs(running, timeout=10)[1] == []
    assert read_state(tmp_path) is None


def test_a_part_that_ends_by_itself_is_named_with_its_log(tmp_path: Path) -> None:
    with LocalStack(tmp_path, ports=ANY) as stack:
        stack.start_aws()
        state = read_state(tmp_path)
        assert state is not None
        os.kill(state["programs"][0]["pid"], signal.SIGKILL)
        with pytest.raises(LocalStackError, match=r"The AWS APIs ended by itself.*aws\.log"):
            stack.wait()


def test_a_program_that_stops_as_it_starts_is_quoted(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit('no such flag')"]
    program = Program("thing", command, environment={}, log=tmp_path / "log")
    with pytest.raises(LocalStackError, match="The thing stopped as it started: no such flag"):
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
    """A stack in a process of its own."""
    process = subprocess.Popen([sys.executable, "-c", STACK, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process:
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


def test_down_stops_a_stack_of_another_terminal(running_stack: subprocess.Popen[str], tmp_path: Path) -> None:
    parts = psutil.Process(running_stack.pid).children(recursive=True)
    assert parts
    assert stop(tmp_path) is True
    assert running_stack.communicate(timeout=10)[0] == "stopped in order\n"
    assert psutil.wait_procs(parts, timeout=10)[1] == []
    assert stop(tmp_path) is False


def test_what_a_killed_stack_left_is_cleared_by_down(running_stack: subprocess.Popen[str], tmp_path: Path) -> None:
    parts = psutil.Process(running_stack.pid).children(recursive=True)
    running_stack.kill()
    running_stack.wait()
    assert any(part.is_running() for part in parts)
    assert stop(tmp_path) is False
    assert psutil.wait_procs(parts, timeout=10)[1] == []
    assert not (tmp_path / STATE).exists()


def test_a_state_that_names_somebody_elses_process_harms_nobody(tmp_path: Path) -> None:
    bystander = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True)
    program = {"name": "page", "pid": bystander.pid, "started": 1.0}
    (tmp_path / STATE).write_text(json.dumps({"pid": bystander.pid, "started": 1.0, "urls": {}, "programs": [program]}))
    assert read_state(tmp_path) is None
    assert stop(tmp_path) is False
    assert bystander.poll() is None
    bystander.communicate(b"\n", timeout=10)
