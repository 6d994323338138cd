"""`lesion train`: what is misused is told by the option's name, before anything is loaded."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import get_args, get_type_hints

import click
import pytest
from click.testing import CliRunner

from cli.train import train


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--size", "8"], "--size: Input should be greater than or equal to 32"),
        (["--frozen-views", "12"], "--frozen-views: "),
        (["--head-epochs", "0", "--fine-tune-epochs", "0"], "nothing would be trained"),
        (["--train-from", "conv9"], "--train-from"),
    ],
)
def test_a_value_out_of_range_is_told_by_its_option(tmp_path: Path, arguments: list[str], told: str) -> None:
    result = CliRunner().invoke(train, [str(tmp_path), *arguments])
    assert result.exit_code == 2
    assert told in result.output


def test_a_run_that_is_told_to_end_says_so_and_the_same_command_takes_it_up(
    synthetic_dir: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", "from cli.main import main; main()", "train", str(synthetic_dir), "--weights",
               "none", "--size", "32", "--head-epochs", "500", "--patience", "500", "--batch-size", "8", "--no-augment",
               "--out", str(tmp_path / "models"), "--cache", str(tmp_path / "cache")]  # fmt: skip
    told = []
    for _ in range(2):
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as run:
            assert run.stderr is not None
            lines = []
            for line in run.stderr:
                lines.append(line)
                if line.startswith("  head "):  # an epoch is over, and the next one begins
                    run.send_signal(signal.SIGTERM)
        assert run.returncode == 143, lines
        sentence = "lesion: Interrupted by SIGTERM: the run is written down, in epoch "
        assert any(line.startswith(sentence) for line in lines[-9:]), lines  # TensorFlow may have a last word
        told.append("".join(lines))
    assert "goes on with an earlier run" not in told[0]
    assert "goes on with an earlier run, in epoch " in told[1]
    assert list((tmp_path / "models").glob("*")) == []


def test_every_choice_that_is_offered_is_one_that_a_run_takes() -> None:
    from dataclasses import fields

    from training.config import TrainingConfig

    of_the_command = {"folder", "out", "cache", "checkpoints", "fresh", "keep_features", "as_json"}
    offered = {parameter.name for parameter in train.params} - of_the_command
    assert offered <= {field.name for field in fields(TrainingConfig)}
    for parameter in train.params:
        if isinstance(parameter.type, click.Choice):
            taken = get_args(get_type_hints(TrainingConfig)[str(parameter.name)])
            assert tuple(parameter.type.choices) == taken
