"""The folder of a run: used by one process at a time, removed after a finished run, and kept after a failed one."""

from pathlib import Path

import pytest

from contract.errors import TrainingError
from training.file_lock import locked_folder
from training.fitting.resuming.checkpoint import CHECKPOINT
from training.fitting.resuming.folder import checkpoint_folder, run_folder


def test_a_finished_run_leaves_nothing(tmp_path: Path) -> None:
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


def test_a_fresh_start_removes_only_the_checkpoint(tmp_path: Path) -> None:
    for name in (CHECKPOINT, "notes.txt"):
        (tmp_path / name).write_bytes(b"state")
    with run_folder(tmp_path, fresh=True) as folder:
        assert not (folder / CHECKPOINT).exists()
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_run_that_another_process_trains_is_refused(tmp_path: Path) -> None:
    refused = pytest.raises(TrainingError, match="Another process is training this run")
    with locked_folder(tmp_path, wait=False), refused:
        run_folder(tmp_path, fresh=True).__enter__()
    with run_folder(tmp_path, fresh=False):
        pass


def test_different_runs_have_different_folders_and_an_unfinished_run_is_reported(tmp_path: Path) -> None:
    lines: list[str] = []
    first = checkpoint_folder({"epochs": 3}, tmp_path, lines.append)
    assert first == checkpoint_folder({"epochs": 3}, tmp_path, lines.append)
    first.mkdir(parents=True)
    (first / CHECKPOINT).write_bytes(b"state")
    assert checkpoint_folder({"epochs": 3}, tmp_path, lines.append) == first
    assert lines == []
    assert checkpoint_folder({"epochs": 4}, tmp_path, lines.append) != first
    assert str(first) in lines[0]
    assert "other settings" in lines[0]
