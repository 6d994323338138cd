"""In which numbers a run computes; its weights are float32 in any case, and so is what is exported."""

from typing import Final

import keras

from training.config import TrainingConfig

_OF_ACCELERATOR: Final = {
    "tensorflow": "mixed_float16"
}  # every GPU since 2017 has it; JAX's home, the TPU, has bfloat16


def choose_precision(config: TrainingConfig) -> str:
    """Name the Keras dtype policy of a run: "float32", "mixed_float16" or "mixed_bfloat16".

    "auto" is float32 on a CPU, which gains nothing from less; on an accelerator mixed_float16 under TensorFlow and
    mixed_bfloat16 elsewhere (Micikevicius et al. 2018, arXiv:1710.03740).
    """
    if config.precision != "auto":
        return config.precision
    return _OF_ACCELERATOR.get(keras.backend.backend(), "mixed_bfloat16") if on_accelerator() else "float32"


def on_accelerator() -> bool:
    """Tell whether there is anything faster than a CPU to train on."""
    return any(not device.startswith("cpu") for device in keras.distribution.list_devices())


def scale_loss(optimizer: keras.optimizers.Optimizer, precision: str) -> keras.optimizers.Optimizer:
    """Keep small gradients from vanishing in float16, whose exponent is short; bfloat16's is as long as float32's."""
    return keras.optimizers.LossScaleOptimizer(optimizer) if precision == "mixed_float16" else optimizer
