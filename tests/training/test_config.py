"""The configuration of a run: text becomes numbers, and invalid values are refused."""

import pytest
from pydantic import ValidationError

from training.config import TrainingConfig


def test_values_given_as_text_become_numbers() -> None:
    config = TrainingConfig(size="96", head_learning_rate="0.01", mixup="0")  # type: ignore[arg-type]
    assert (config.size, config.head_learning_rate, config.mixup) == (96, 0.01, 0.0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": 16},
        {"images": 3},
        {"seed": -1},
        {"train_from": "conv9"},
        {"batch_size": 1},
        {"head_learning_rate": 0},
        {"frozen_views": 9},
        {"frozen_views": 65, "augment": "full"},
        {"augment": True},
        {"label_smoothing": 1.0},
        {"class_balance": "luck"},
        {"balance_power": 2},
        {"mixup": -1},
        {"learning_rat": 1e-3},
        {"head_epochs": 0, "fine_tune_epochs": 0},
    ],
)
def test_an_unknown_name_or_a_value_out_of_range_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TrainingConfig(**wrong)  # type: ignore[arg-type]
