"""A run that is ended in the middle of an epoch and taken up again comes to what it would have come to."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np

from tests.training.fitting.resuming.one_run import STEPS_PER_EPOCH
from training.fitting.resuming.checkpoint import CHECKPOINT

TOLERANCE = 1e-6  # of weights, losses and logits; on a CPU they were the same to the last bit, ResNet50's too


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


def test_a_run_ended_in_mid_epoch_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    in_fine_tuning = STEPS_PER_EPOCH + 1  # the first step of an epoch of four
    with start(tmp_path / "unbroken", tmp_path / "unbroken.npz") as unbroken:
        with start(tmp_path / "broken", tmp_path / "broken.npz") as broken:
            lines = end_after(broken, f"training {in_fine_tuning}")
        assert broken.returncode == 143, lines
        assert lines[-1].startswith("Interrupted by SIGTERM: the run is written down, in epoch 1 of fine-tuning after")
        assert (tmp_path / "broken" / CHECKPOINT).is_file()

        with start(tmp_path / "broken", tmp_path / "broken.npz") as again:
            lines = end_after(again, "never")
        assert again.returncode == 0, lines
        assert lines[0].startswith("goes on with an earlier run, in epoch 1 of fine-tuning after step")
        assert "training 1" not in lines
        end_after(unbroken, "never")
    assert not (tmp_path / "broken" / CHECKPOINT).exists()

    with np.load(tmp_path / "unbroken.npz") as expected, np.load(tmp_path / "broken.npz") as given:
        assert len(expected.files) == 5 * 6 + 2 + 2
        assert expected["losses"].shape == (3, 3)
        for name in expected.files:
            np.testing.assert_allclose(given[name], expected[name], rtol=0, atol=TOLERANCE, err_msg=name)
