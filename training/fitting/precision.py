"""The precision that a run computes in. The weights and the exported model are float32 in any case."""

from typing import Final

import keras

from training.config import TrainingConfig

# On an accelerator, by backend. Every GPU since 2017 computes in float16; TPUs, which JAX is made for, in bfloat16.
_ACCELERATOR_PRECISION: Final = {"tensorflow": "mixed_float16"}


def choose_precision(config: TrainingConfig) -> str:
    """Name the Keras dtype policy of a run: "float32", "mixed_float16" or "mixed_bfloat16".

    "auto" is float32 on a CPU. On an accelerator it is mixed_float16 with TensorFlow and mixed_bfloat16 with other
    backends (Micikevicius et al. 2018, arXiv:1710.03740).
    """
    if config.precision != "auto":
        return config.precision
    return _ACCELERATOR_PRECISION.get(keras.backend.backend(), "mixed_bfloat16") if on_accelerator() else "float32"


def on_accelerator() -> bool:
    """Return whether Keras has a device other than a CPU."""
    return any(not device.startswith("cpu") for device in keras.distribution.list_devices())


def scale_loss(optimizer: keras.optimizers.Optimizer, precision: str) -> keras.optimizers.Optimizer:
    """Scale the loss in float16, so that small gradients do not become zero. bfloat16 has the exponents of float32."""
    return keras.optimizers.LossScaleOptimizer(optimizer) if precision == "mixed_float16" else optimizer
