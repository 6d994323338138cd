"""A run that is ended in the middle of an epoch and taken up again comes to what it would have come to."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from contract.errors import TrainingError
from tests.training.fitting.small_network import SIZE, build_small_network
from training.config import TrainingConfig
from training.data.pictures import Pictures
from training.fitting.loop import fit
from training.fitting.resuming.checkpoint import CHECKPOINT, read_checkpoint, write_checkpoint
from training.fitting.resuming.stop import RunInterruptedError, StopRequest
from training.model import STAGES
from training.weights import LoadedWeights

TOLERANCE = 1e-6  # of weights, losses and logits; on a CPU they were the same to the last bit, ResNet50's too

BACKBONE_LOADED = LoadedWeights(source="test", loaded=STAGES[:-1], fresh=("head",))


def start(folder: Path, result: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.training.fitting.resuming.one_run", str(folder), str(result)]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.Popen(
        command, cwd=Path(__file__).parents[4], env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True,
    )  # fmt: skip


def end_after(run: "subprocess.Popen[str]", line: str) -> list[str]:
    """Send SIGTERM when the run writes a line, and give all that it wrote."""
    assert run.stdout is not None
    lines = []
    for written in run.stdout:
        lines.append(written.rstrip())
        if lines[-1] == line:
            run.send_signal(signal.SIGTERM)
    return lines


def run_small(folder: Path, stop_at: int | None = None) -> tuple[list[np.ndarray], list[str]]:
    """Train a small network on frozen features in this process, or end it when a step is reported."""
    config = TrainingConfig(size=SIZE, head_epochs=1, fine_tune_epochs=1, train_from="conv5", batch_size=8)
    pixels = np.random.default_rng(0).integers(0, 256, (32, SIZE, SIZE, 3), np.uint8)
    train, validation = (Pictures(pixels, rows, rows % 7) for rows in (np.arange(16), np.arange(16, 32)))
    network, stop, said = build_small_network(3), StopRequest(), list[str]()

    def on_progress(what: str, done: int, total: int) -> None:
        if what == "training" and done == stop_at:
            stop.by = signal.SIGTERM

    fit(network, config, BACKBONE_LOADED, train, validation, scratch=folder, checkpoints=folder, run={"seed": 1},
        stop=stop, on_progress=on_progress, say=said.append)  # fmt: skip
    return [*network.backbone.get_weights(), *network.head.get_weights()], said


def test_a_run_goes_on_wherever_it_was_ended(tmp_path: Path) -> None:
    """After every single step: in mid-epoch, after an epoch, after a phase, after the last step of all."""
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    for folder in (whole, broken):
        folder.mkdir()
    expected, _ = run_small(whole)
    where = []
    for step in (1, 2, 3, 4):
        with pytest.raises(RunInterruptedError) as ended:
            run_small(broken, stop_at=step)
        where.append(str(ended.value).split(", ")[1].split(";")[0])
    assert where == ["in epoch 1 of head after step 1", "in epoch 1 of fine-tuning",
                     "in epoch 1 of fine-tuning after step 1", "after its last epoch"]  # fmt: skip
    given, said = run_small(broken)
    assert said == ["goes on with an earlier run, after its last epoch"]
    for one, other in zip(given, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=TOLERANCE)


def test_a_checkpoint_whose_network_is_another_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunInterruptedError):
        run_small(tmp_path, stop_at=1)
    saved = read_checkpoint(tmp_path, {"seed": 1}, print)
    assert saved is not None
    write_checkpoint(tmp_path, saved.about, {**saved.arrays, "weights/0000": np.zeros(3)})
    with pytest.raises(TrainingError, match="written by another version of this code or of Keras: its weights"):
        run_small(tmp_path)


def test_a_run_ended_in_mid_epoch_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    with start(tmp_path / "unbroken", tmp_path / "unbroken.npz") as unbroken:
        with start(tmp_path / "broken", tmp_path / "broken.npz") as broken:
            lines = end_after(broken, "training 1")
        assert broken.returncode == 143, lines
        assert lines[-1].startswith("Interrupted by SIGTERM: the run is written down, in epoch 1 of fine-tuning after")
        assert (tmp_path / "broken" / CHECKPOINT).is_file()

        with start(tmp_path / "broken", tmp_path / "broken.npz") as again:
            lines = end_after(again, "never")
        assert again.returncode == 0, lines
        assert lines[0].startswith("goes on with an earlier run, in epoch 1 of fine-tuning after step")
        assert "training 0" not in lines
        end_after(unbroken, "never")
    assert not (tmp_path / "broken" / CHECKPOINT).exists()

    with np.load(tmp_path / "unbroken.npz") as expected, np.load(tmp_path / "broken.npz") as given:
        assert len(expected.files) == 5 * 6 + 2 + 2
        assert expected["losses"].shape == (2, 3)
        for name in expected.files:
            np.testing.assert_allclose(given[name], expected[name], rtol=0, atol=TOLERANCE, err_msg=name)
