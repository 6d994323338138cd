"""Precision: float32 on a CPU by default, and a scaled loss that keeps small gradients in float16."""

import keras
import numpy as np
import pytest

from training.config import TrainingConfig
from training.fitting.precision import choose_precision, on_accelerator, scale_loss


def test_automatic_precision_is_float32_without_an_accelerator() -> None:
    assert (choose_precision(TrainingConfig()) == "float32") == (not on_accelerator())


def test_a_configured_precision_is_used() -> None:
    assert choose_precision(TrainingConfig(precision="mixed_bfloat16")) == "mixed_bfloat16"


def test_the_loss_is_scaled_only_for_float16() -> None:
    adam = keras.optimizers.Adam(0.1)
    assert scale_loss(adam, "float32") is scale_loss(adam, "mixed_bfloat16") is adam
    scaled = scale_loss(adam, "mixed_float16")
    variable = keras.Variable(np.array([1.0], np.float32))
    scaled.build([variable])
    loss = float(keras.ops.convert_to_numpy(scaled.scale_loss(keras.ops.array(1e-6))))
    assert loss == pytest.approx(1e-6 * 2**15)
    scaled.apply([keras.ops.array([np.nan], "float32")], [variable])  # an overflow skips the step
    assert variable.numpy()[0] == 1.0
