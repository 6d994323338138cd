"""A locked folder: another process waits for it or is refused, also when its holder removes it or dies."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock
import pytest

from training.file_lock import locked_folder

HOLD = """
import sys, pathlib
from training.file_lock import locked_folder
folder = pathlib.Path(sys.argv[1])
print("started", flush=True)
with locked_folder(folder, wait=sys.argv[2] == "wait"):
    print("locked", folder.is_dir(), flush=True)
    sys.stdin.read()
"""


@contextmanager
def other_process(folder: Path, mode: str) -> Iterator["subprocess.Popen[str]"]:
    """Start a process that locks a folder and holds it until its standard input ends."""
    command = [sys.executable, "-c", HOLD, str(folder), mode]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert read_line(process) == "started\n"
        try:
            yield process
        finally:
            process.kill()


def read_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def test_a_folder_that_another_process_holds_is_refused_until_that_process_dies(tmp_path: Path) -> None:
    with other_process(tmp_path, "refuse") as holder:
        assert read_line(holder) == "locked True\n"
        with pytest.raises(filelock.Timeout):
            locked_folder(tmp_path, wait=False).__enter__()
        holder.kill()
        holder.wait()
        with locked_folder(tmp_path, wait=False):
            pass


def test_a_process_waits_for_a_folder_and_makes_it_again_if_its_holder_removes_it(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with locked_folder(folder, wait=True), other_process(folder, "wait") as waiting:
        time.sleep(0.5)  # it tries to get the lock meanwhile
        assert waiting.poll() is None
        (folder / ".lock").unlink()
        folder.rmdir()
        assert read_line(waiting) == "locked True\n"
        with pytest.raises(filelock.Timeout):
            locked_folder(folder, wait=False).__enter__()
