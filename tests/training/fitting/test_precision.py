"""Precision: float32 on a CPU unless asked for otherwise, and gradients that float16 does not lose."""

import keras
import numpy as np
import pytest

from training.config import TrainingConfig
from training.fitting.precision import choose_precision, on_accelerator, scale_loss


def test_automatic_precision_is_float32_without_an_accelerator() -> None:
    assert (choose_precision(TrainingConfig()) == "float32") == (not on_accelerator())


def test_a_precision_that_was_asked_for_is_taken() -> None:
    assert choose_precision(TrainingConfig(precision="mixed_bfloat16")) == "mixed_bfloat16"


def test_the_loss_is_scaled_for_float16_alone() -> None:
    adam = keras.optimizers.Adam(0.1)
    assert scale_loss(adam, "float32") is scale_loss(adam, "mixed_bfloat16") is adam
    scaled = scale_loss(adam, "mixed_float16")
    variable = keras.Variable(np.array([1.0], np.float32))
    scaled.build([variable])
    loss = float(keras.ops.convert_to_numpy(scaled.scale_loss(keras.ops.array(1e-6))))
    assert loss == pytest.approx(1e-6 * 2**15)
    scaled.apply([keras.ops.array([np.nan], "float32")], [variable])  # an overflow skips the step
    assert variable.numpy()[0] == 1.0
