"""`lesion train`: a wrong option is named, and an interrupted run is resumed by the same command."""

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
    ("arguments", "sentence"),
    [
        (["--size", "8"], "--size: Input should be greater than or equal to 32"),
        (["--frozen-views", "12"], "frozen_views over 8 need augment full"),
        (["--head-epochs", "0", "--fine-tune-epochs", "0"], "nothing would be trained"),
        (["--train-from", "conv9"], "--train-from"),
    ],
)
def test_a_value_out_of_range_is_refused_by_its_option(tmp_path: Path, arguments: list[str], sentence: str) -> None:
    result = CliRunner().invoke(train, [str(tmp_path), *arguments])
    assert result.exit_code == 2
    assert sentence in result.output


def test_an_interrupted_run_says_so_and_the_same_command_resumes_it(synthetic_dir: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from cli.main import main; main()", "train", str(synthetic_dir), "--weights",
               "none", "--size", "32", "--head-epochs", "500", "--patience", "500", "--batch-size", "8", "--augment",
               "none", "--out", str(tmp_path / "models"), "--cache", str(tmp_path / "cache")]  # fmt: skip
    outputs = []
    for _ in range(2):
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as run:
            assert run.stderr is not None
            lines = []
            for line in run.stderr:
                lines.append(line)
                if line.startswith("  head "):  # at the end of an epoch
                    run.send_signal(signal.SIGTERM)
        assert run.returncode == 143, lines
        sentence = "lesion: Interrupted by SIGTERM: the run is saved. The same command resumes it, in epoch "
        assert any(line.startswith(sentence) for line in lines[-9:]), lines  # TensorFlow may write lines after it
        outputs.append("".join(lines))
    assert "resumes an earlier run" not in outputs[0]
    assert "resumes an earlier run, in epoch " in outputs[1]
    assert list((tmp_path / "models").glob("*")) == []


def test_the_options_and_their_choices_are_those_of_the_configuration() -> None:
    from dataclasses import fields

    from training.config import TrainingConfig

    not_settings = {"folder", "out", "cache", "checkpoints", "fresh", "keep_features", "as_json"}
    options = {parameter.name for parameter in train.params} - not_settings
    assert options <= {field.name for field in fields(TrainingConfig)}
    for parameter in train.params:
        if isinstance(parameter.type, click.Choice):
            allowed = get_args(get_type_hints(TrainingConfig)[str(parameter.name)])
            assert tuple(parameter.type.choices) == allowed
