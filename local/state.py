"""The state file of a running stack, with which other processes find and stop it.

state.json contains the stack's process, its URLs, the environment variables for AWS's SDKs, and its programs. Processes
are identified by ID and start time, because the operating system reuses IDs.
"""

import contextlib
import json
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from local.errors import LocalStackError
from local.processes import POLL_S, Program

STATE = "state.json"
STOP_TIMEOUT_S = 45.0  # longer than all programs together need to stop


def write_state(folder: Path, urls: dict[str, str], environment: dict[str, str], programs: Sequence[Program]) -> None:
    """Write the state of the stack that this process runs."""
    state = {
        "pid": os.getpid(),
        "started": psutil.Process().create_time(),
        "urls": urls,
        "environment": environment,
        "programs": [
            {"name": program.name, "pid": program.pid, "started": psutil.Process(program.pid).create_time()}
            for program in programs
            if program.running
        ],
    }
    incomplete = folder / f"{STATE}.new"
    incomplete.write_text(json.dumps(state, indent=2))
    incomplete.rename(folder / STATE)


def read_state(folder: Path) -> dict[str, Any] | None:
    """Read the state of the stack that runs from a folder; None if no stack runs."""
    try:
        state: dict[str, Any] = json.loads((folder / STATE).read_text())
    except FileNotFoundError:
        return None
    return state if _is_running(state["pid"], state["started"]) else None


def remove_state(folder: Path) -> None:
    """Remove the state file, if there is one."""
    (folder / STATE).unlink(missing_ok=True)


def stop_stack(folder: Path) -> bool:
    """Stop the stack that runs from a folder, or kill the orphans of one that was killed; return whether one ran.

    Raises:
        LocalStackError: the stack does not stop.
    """
    state = read_state(folder)
    if state is None:
        kill_orphans(folder)
        return False
    os.kill(state["pid"], signal.SIGTERM)
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while _is_running(state["pid"], state["started"]):
        if time.monotonic() > deadline:
            raise LocalStackError(
                f"The local stack (process {state['pid']}) does not stop: kill it, then run this command again."
            )
        time.sleep(POLL_S)
    return True


def kill_orphans(folder: Path) -> None:
    """Kill the programs of a stack whose own process was killed before it could stop them."""
    try:
        programs = json.loads((folder / STATE).read_text())["programs"]
    except FileNotFoundError:
        return
    for program in programs:
        if _is_running(program["pid"], program["started"]):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(program["pid"], signal.SIGKILL)
    remove_state(folder)


def _is_running(pid: int, started: float) -> bool:
    try:
        process = psutil.Process(pid)
        return process.create_time() == started and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
