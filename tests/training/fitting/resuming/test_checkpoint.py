"""Checkpoints: whole or not there, of the run that asks, and never lost to a damaged or unfinished one."""

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
    """Let no file grow over `limit` bytes."""
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


def test_what_was_written_is_read_again_to_the_last_bit(folder: Path) -> None:
    said: list[str] = []
    saved = read_checkpoint(folder, RUN, said.append)
    assert saved is not None
    assert saved.about["step"] == 7
    for read, written in zip(saved.under("weights"), arrays_of(0).values(), strict=True):
        assert read.dtype == written.dtype
        assert np.array_equal(read, written)
    assert said == []
    assert [path.name for path in folder.iterdir()] == [CHECKPOINT]


def test_where_there_is_none_a_run_starts_from_the_beginning(tmp_path: Path) -> None:
    assert read_checkpoint(tmp_path, RUN, print) is None


@pytest.mark.parametrize("damage", ["cut", "flipped", "emptied", "no archive", "lacks what it is about"])
def test_a_damaged_one_is_set_aside_and_told(folder: Path, damage: str) -> None:
    path = folder / CHECKPOINT
    content = bytearray(path.read_bytes())
    if damage == "lacks what it is about":
        np.savez(path, **{"about": np.frombuffer(json.dumps({}).encode(), np.uint8)})  # type: ignore[arg-type]
    elif damage == "flipped":
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    else:
        path.write_bytes({"cut": content[: len(content) // 2], "emptied": b"", "no archive": b"no archive"}[damage])
    damaged = path.read_bytes()
    said: list[str] = []
    assert read_checkpoint(folder, RUN, said.append) is None
    assert "is damaged" in said[0]
    assert (folder / DAMAGED).read_bytes() == damaged


def test_that_of_another_run_is_refused_by_what_differs_and_left_as_it_is(folder: Path) -> None:
    before = (folder / CHECKPOINT).read_bytes()
    with pytest.raises(TrainingError, match="belongs to a run with another epochs, mixup"):
        read_checkpoint(folder, {**RUN, "epochs": 4, "mixup": 0.2}, print)
    assert (folder / CHECKPOINT).read_bytes() == before


def test_on_a_full_disk_the_one_before_is_kept(folder: Path) -> None:
    before = (folder / CHECKPOINT).read_bytes()
    with full_disk(2000), pytest.raises(OSError, match="File too large"):
        write_checkpoint(folder, {"run": RUN, "step": 8}, arrays_of(1))
    assert [path.name for path in folder.iterdir()] == [CHECKPOINT]
    assert (folder / CHECKPOINT).read_bytes() == before
