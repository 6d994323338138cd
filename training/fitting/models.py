"""The two Keras models of a phase: one that trains, on augmented inputs, and one that validates, on plain inputs."""

from dataclasses import dataclass
from typing import Any

import keras

from training.config import TrainingConfig
from training.fitting.imbalance import build_loss
from training.fitting.inputs.augmentation.build import build_augmentation
from training.fitting.inputs.augmentation.mixup import Mix
from training.fitting.metrics import BalancedAccuracy, BalancedLoss
from training.fitting.phases import Phase
from training.fitting.precision import scale_loss
from training.fitting.run import Run
from training.model import Classifier


@dataclass(frozen=True, eq=False)
class PhaseModels:
    """Two compiled models over the same layers."""

    training: keras.Model
    validation: keras.Model


def build_models(classifier: Classifier, phase: Phase, run: Run) -> PhaseModels:
    """Build and compile the models of a phase, once its frozen stages are frozen."""
    config = run.config
    validation = classifier.full_model() if phase.input_stage == "all" else classifier.above(phase.input_stage)
    shape, dtype = validation.input_shape[1:], validation.input.dtype
    if config.mixup:
        inputs = [keras.Input(shape, dtype=dtype), keras.Input(shape, dtype=dtype), keras.Input(())]
        outputs = Mix(dtype="float32")(*inputs)
    else:
        inputs = outputs = keras.Input(shape, dtype=dtype)
    if config.augment != "none" and phase.input_stage == "all":
        outputs = build_augmentation(config.seed, config.augment)(outputs)
    training = keras.Model(inputs, classifier.logits_of(outputs, phase.input_stage), name="training")
    loss = build_loss(config, run.train.class_index)
    run.devices.synchronize_batch_norm(training)
    adam = keras.optimizers.Adam(_schedule(phase, config, run.steps_per_epoch))
    training.compile(
        optimizer=scale_loss(adam, classifier.precision),
        loss=loss,
        metrics=[BalancedAccuracy()],
        jit_compile=run.devices.jit_compile,
    )
    training.optimizer.build(training.trainable_variables)  # otherwise TensorFlow traces the step twice
    validation.compile(loss=loss, metrics=[BalancedAccuracy(), BalancedLoss()], jit_compile=run.devices.jit_compile)
    return PhaseModels(training, validation)


def _schedule(phase: Phase, config: TrainingConfig, steps_per_epoch: int) -> Any:
    """Linear warm-up, then cosine decay to zero (Loshchilov and Hutter 2017, arXiv:1608.03983)."""
    steps = phase.epochs * steps_per_epoch
    warm_up = int(config.warm_up * steps)
    if warm_up == 0:
        return keras.optimizers.schedules.CosineDecay(phase.learning_rate, steps)
    return keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - warm_up), warmup_target=phase.learning_rate, warmup_steps=warm_up
    )
