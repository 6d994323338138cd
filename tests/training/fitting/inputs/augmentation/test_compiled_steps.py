"""XLA compiles the whole training step, as on a GPU, for every kind of augmentation, input and precision."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.training.fitting.inputs.augmentation.compiled_steps import losses_of

ROOT = Path(__file__).parents[5]

CASES: list[dict[str, Any]] = [
    {"config": {}, "train_from": "all"},
    {"config": {"augment": "none"}, "train_from": "all"},
    {"config": {"augment": "full"}, "train_from": "all"},
    {"config": {"augment": "full", "mixup": 0.2, "precision": "mixed_bfloat16"}, "train_from": "all"},
    {"config": {"augment": "full", "precision": "mixed_float16"}, "train_from": "conv3"},
    {"config": {"mixup": 0.2}, "train_from": "conv5"},
]


def on_jax(cases: list[dict[str, Any]]) -> list[list[float]]:
    process = subprocess.run(
        [sys.executable, "-m", "tests.training.fitting.inputs.augmentation.compiled_steps", json.dumps(cases)],
        cwd=ROOT,
        env={**os.environ, "KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    given: list[list[float]] = json.loads(process.stdout)
    return given


@pytest.mark.parametrize("take_steps", [losses_of, on_jax])
def test_xla_compiles_every_training_step(take_steps: Any) -> None:
    for case, losses in zip(CASES, take_steps(CASES), strict=True):
        assert np.isfinite(losses).all(), case
        assert losses[0] != losses[1], case
