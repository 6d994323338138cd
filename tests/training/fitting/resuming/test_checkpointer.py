"""An interrupted run resumes after its last finished epoch, and gives the same result as an unbroken run."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
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
from training.fitting.run import Run
from training.model import STAGES
from training.progress import Reporter
from training.weights import LoadedWeights

TOLERANCE = 1e-6  # of weights, losses and logits; on a CPU they were the same to the last bit, also for ResNet50

BACKBONE_LOADED = LoadedWeights(source="test", loaded=STAGES[:-1], fresh=("head",))

Event = int | str  # a step that is reported, or the start of a line


def run_process(folder: Path, result: Path, *stop_at: int) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "tests.training.fitting.resuming.one_run", str(folder), str(result)]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.run(
        [*command, *map(str, stop_at)], cwd=Path(__file__).parents[4], env=environment, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True, check=False,
    )  # fmt: skip


def run_small(
    folder: Path, stop_at: Event | None = None, on_line: Callable[[str], None] = lambda _: None
) -> tuple[list[np.ndarray], list[str]]:
    """Train a small network on frozen features, two steps an epoch, and request a stop at an event."""
    config = TrainingConfig(size=SIZE, head_epochs=1, fine_tune_epochs=2, train_from="conv5", batch_size=8)
    pixels = np.random.default_rng(0).integers(0, 256, (32, SIZE, SIZE, 3), np.uint8)
    train, validation = (Pictures(pixels, rows, rows % 7) for rows in (np.arange(16), np.arange(16, 32)))
    network, stop, lines = build_small_network(3), StopRequest(), list[str]()

    def on_progress(what: str, done: int, total: int) -> None:
        del total
        if what == "training" and done == stop_at:
            stop.received = signal.SIGTERM

    def log(line: str) -> None:
        lines.append(line)
        on_line(line)
        if isinstance(stop_at, str) and line.startswith(stop_at):
            stop.received = signal.SIGTERM

    fit(network, BACKBONE_LOADED, Run(config=config, train=train, validation=validation, scratch=folder, stop=stop,
        checkpoints=folder, identity={"seed": 1}, reporter=Reporter(on_progress, log)))  # fmt: skip
    return [*network.backbone.get_weights(), *network.head.get_weights()], lines


def test_a_run_resumes_wherever_it_was_interrupted(tmp_path: Path) -> None:
    """In its first epoch, in a later phase, in a later epoch of a phase, at the end of an epoch, and at its end."""
    unbroken, interrupted = tmp_path / "unbroken", tmp_path / "interrupted"
    for folder in (unbroken, interrupted):
        folder.mkdir()
    expected, _ = run_small(unbroken)
    events: tuple[Event, ...] = (1, 3, "  fine-tuning 1/2", 6, "  fine-tuning 2/2")
    sentences = []
    for event in events:
        with pytest.raises(RunInterruptedError) as caught:
            run_small(interrupted, stop_at=event)
        sentences.append(str(caught.value).removeprefix("Interrupted by SIGTERM: "))
    resumes = "the run is saved. The same command resumes it, "
    assert sentences == [
        "no epoch has finished, so nothing is saved. The same command starts again.",
        resumes + "in epoch 1 of fine-tuning.",
        resumes + "in epoch 2 of fine-tuning.",
        resumes + "in epoch 2 of fine-tuning.",
        resumes + "after its last epoch.",
    ]
    given, lines = run_small(interrupted)
    assert lines == ["resumes an earlier run, after its last epoch"]
    for one, other in zip(given, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=TOLERANCE)


def test_a_checkpoint_with_another_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunInterruptedError):
        run_small(tmp_path, stop_at=3)
    checkpoint = read_checkpoint(tmp_path, {"seed": 1}, print)
    assert checkpoint is not None
    write_checkpoint(tmp_path, checkpoint.about, {**checkpoint.arrays, "weights/0000": np.zeros(3)})
    with pytest.raises(TrainingError, match="written by another version of this code or of Keras: its weights"):
        run_small(tmp_path)


def test_a_checkpoint_that_cannot_be_written_is_reported_and_does_not_end_the_run(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    folder.mkdir()

    def remove_folder(line: str) -> None:
        if line.startswith("  head 1/1"):  # the features are in the folder too, but are open already
            folder.rename(tmp_path / "elsewhere")

    with pytest.raises(RunInterruptedError) as caught:
        run_small(folder, stop_at="no checkpoint", on_line=remove_folder)
    assert f"the last checkpoint could not be written to {folder}" in str(caught.value)


def test_a_process_that_a_signal_ends_in_mid_epoch_resumes_as_if_unbroken(tmp_path: Path) -> None:
    first = run_process(tmp_path / "interrupted", tmp_path / "interrupted.npz", 2)
    assert first.returncode == 143, first.stdout
    assert first.stdout.splitlines()[-2:] == [
        "training 2",
        "Interrupted by SIGTERM: no epoch has finished, so nothing is saved. The same command starts again.",
    ]

    second = run_process(tmp_path / "interrupted", tmp_path / "interrupted.npz", 6)
    assert second.returncode == 143, second.stdout
    assert second.stdout.splitlines()[-2:] == [
        "training 6",
        "Interrupted by SIGTERM: the run is saved. The same command resumes it, in epoch 2 of fine-tuning.",
    ]
    assert (tmp_path / "interrupted" / CHECKPOINT).is_file()

    third = run_process(tmp_path / "interrupted", tmp_path / "interrupted.npz")
    assert third.returncode == 0, third.stdout
    assert third.stdout.splitlines()[:2] == ["resumes an earlier run, in epoch 2 of fine-tuning", "training 4"]
    assert not (tmp_path / "interrupted" / CHECKPOINT).exists()

    unbroken = run_process(tmp_path / "unbroken", tmp_path / "unbroken.npz")
    assert unbroken.returncode == 0, unbroken.stdout
    with np.load(tmp_path / "unbroken.npz") as expected, np.load(tmp_path / "interrupted.npz") as given:
        assert len(expected.files) == 5 * 6 + 2 + 2
        assert expected["losses"].shape == (2, 3)
        for name in expected.files:
            np.testing.assert_allclose(given[name], expected[name], rtol=0, atol=TOLERANCE, err_msg=name)
