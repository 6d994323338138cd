"""`lesion train`: what is misused is told by the option's name, before anything is loaded."""

from pathlib import Path

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


def test_every_choice_that_is_offered_is_one_that_a_run_takes() -> None:
    from dataclasses import fields

    from training.config import TrainingConfig

    of_the_command = {"folder", "out", "cache", "checkpoints", "fresh", "keep_features", "as_json"}
    offered = {parameter.name for parameter in train.params} - of_the_command
    assert offered <= {field.name for field in fields(TrainingConfig)}
