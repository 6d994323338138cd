"""The folder of a run: of one process at a time, gone when the run ends well, kept when it does not."""

import subprocess
import sys
from pathlib import Path

import pytest

from contract.errors import TrainingError
from training.fitting.resuming.checkpoint import CHECKPOINT
from training.fitting.resuming.folder import folder_of, run_folder
from training.fitting.resuming.lock import alone_in

HOLD = """
import sys, pathlib
from training.fitting.resuming.lock import alone_in
with alone_in(pathlib.Path(sys.argv[1]), wait=False):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_run_that_ends_well_leaves_nothing(tmp_path: Path) -> None:
    with run_folder(tmp_path / "run", fresh=False) as folder:
        (folder / CHECKPOINT).write_bytes(b"state")
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_fails_leaves_its_checkpoint(tmp_path: Path) -> None:
    def fail() -> None:
        with run_folder(tmp_path / "run", fresh=False) as folder:
            (folder / CHECKPOINT).write_bytes(b"state")
            raise TrainingError("the loss stopped being a number")

    with pytest.raises(TrainingError):
        fail()
    assert (tmp_path / "run" / CHECKPOINT).read_bytes() == b"state"


def test_a_fresh_start_gives_up_the_checkpoint_but_nothing_else(tmp_path: Path) -> None:
    for name in (CHECKPOINT, "notes.txt"):
        (tmp_path / name).write_bytes(b"state")
    with run_folder(tmp_path, fresh=True) as folder:
        assert not (folder / CHECKPOINT).exists()
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_while_one_process_trains_a_run_no_other_does(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(TrainingError, match="Another process is training this very run"):
            run_folder(tmp_path, fresh=True).__enter__()
        other.kill()
    with run_folder(tmp_path, fresh=False):
        pass


def test_a_folder_removed_while_it_was_waited_for_is_made_anew(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with alone_in(folder, wait=True):
        (folder / ".lock").unlink()
        folder.rmdir()
        with alone_in(folder, wait=False):
            assert folder.is_dir()


def test_runs_that_differ_have_folders_of_their_own_and_an_unfinished_one_is_told(tmp_path: Path) -> None:
    said: list[str] = []
    first = folder_of({"epochs": 3}, tmp_path, said.append)
    assert first == folder_of({"epochs": 3}, tmp_path, said.append)
    first.mkdir(parents=True)
    (first / CHECKPOINT).write_bytes(b"state")
    assert folder_of({"epochs": 3}, tmp_path, said.append) == first
    assert said == []
    assert folder_of({"epochs": 4}, tmp_path, said.append) != first
    assert str(first) in said[0]
    assert "other settings" in said[0]
