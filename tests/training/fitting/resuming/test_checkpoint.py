"""Checkpoints: complete or absent, read only by their own run, and never lost to a failed write."""

import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from contract.errors import TrainingError
from training.fitting.resuming.checkpoint import CHECKPOINT, DAMAGED, number, read_checkpoint, write_checkpoint

RUN = {"epochs": 3, "seed": 42, "range": (0, 1)}


@contextmanager
def full_disk(limit: int) -> Iterator[None]:
    """Limit the size of files to `limit` bytes."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def arrays_of(seed: int) -> dict[str, np.ndarray]:
    return number("weights", [np.random.default_rng(seed).normal(size=1000), np.arange(3, dtype=np.uint32)])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_checkpoint(tmp_path, {"run": RUN, "step": 7}, arrays_of(0))
    return tmp_path


def test_a_checkpoint_is_read_as_it_was_written_to_the_last_bit(folder: Path) -> None:
    lines: list[str] = []
    checkpoint = read_checkpoint(folder, RUN, lines.append)
    assert checkpoint is not None
    assert checkpoint.about["step"] == 7
    for read, written in zip(checkpoint.arrays_of("weights"), arrays_of(0).values(), strict=True):
        assert read.dtype == written.dtype
        assert np.array_equal(read, written)
    assert lines == []
    assert [path.name for path in folder.iterdir()] == [CHECKPOINT]


def test_without_a_checkpoint_nothing_is_read(tmp_path: Path) -> None:
    assert read_checkpoint(tmp_path, RUN, print) is None


@pytest.mark.parametrize("damage", ["cut", "flipped", "emptied", "no archive", "no description"])
def test_a_damaged_checkpoint_is_renamed_and_reported(folder: Path, damage: str) -> None:
    path = folder / CHECKPOINT
    content = bytearray(path.read_bytes())
    if damage == "no description":
        np.savez(path, **{"about": np.frombuffer(json.dumps({}).encode(), np.uint8)})  # type: ignore[arg-type]
    elif damage == "flipped":
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    else:
        damaged_bytes = {"cut": bytes(content[: len(content) // 2]), "emptied": b"", "no archive": b"no archive"}
        path.write_bytes(damaged_bytes[damage])
    damaged = path.read_bytes()
    lines: list[str] = []
    assert read_checkpoint(folder, RUN, lines.append) is None
    assert "is damaged" in lines[0]
    assert (folder / DAMAGED).read_bytes() == damaged


def test_a_checkpoint_of_another_run_is_refused_by_its_differing_settings_and_stays(folder: Path) -> None:
    before = (folder / CHECKPOINT).read_bytes()
    with pytest.raises(TrainingError, match="belongs to a run that differs in epochs, mixup"):
        read_checkpoint(folder, {**RUN, "epochs": 4, "mixup": 0.2}, print)
    assert (folder / CHECKPOINT).read_bytes() == before


def test_a_checkpoint_of_another_version_is_refused_and_stays(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as earlier:
        earlier.setattr("training.fitting.resuming.checkpoint.FORMAT", 1)
        write_checkpoint(folder, {"run": RUN, "step": 7}, arrays_of(0))
    before = (folder / CHECKPOINT).read_bytes()
    with pytest.raises(TrainingError, match="written by another version of this code"):
        read_checkpoint(folder, RUN, print)
    assert (folder / CHECKPOINT).read_bytes() == before


def test_on_a_full_disk_the_earlier_checkpoint_is_kept(folder: Path) -> None:
    before = (folder / CHECKPOINT).read_bytes()
    with full_disk(2000), pytest.raises(OSError, match="File too large"):
        write_checkpoint(folder, {"run": RUN, "step": 8}, arrays_of(1))
    assert [path.name for path in folder.iterdir()] == [CHECKPOINT]
    assert (folder / CHECKPOINT).read_bytes() == before
