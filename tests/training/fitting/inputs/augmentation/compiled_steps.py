"""Takes training steps that XLA compiles: `python -m ... CASES` prints their losses as JSON.

CASES is a JSON list of objects: `config`, the changed settings, and `train_from`, the stage that the inputs enter.
"""

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tests.training.fitting.small_network import SIZE, build_small_network
from training.config import TrainFrom, TrainingConfig
from training.data.pictures import Pictures
from training.fitting.models import build_models
from training.fitting.phases import Phase
from training.fitting.run import Run

PICTURES = 8
STEPS = 2


def losses(config: TrainingConfig, train_from: TrainFrom) -> list[float]:
    """Take two steps on random inputs, from pixels with "all" and from frozen features otherwise."""
    keras.config.set_dtype_policy("float32" if config.precision == "auto" else config.precision)
    try:
        classifier = build_small_network(config.seed)
    finally:
        keras.config.set_dtype_policy("float32")
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (PICTURES, SIZE, SIZE, 3), np.uint8)
    pictures = Pictures(pixels, np.arange(PICTURES), np.arange(PICTURES) % 7)
    phase = Phase(
        name="fine-tuning", train_from=train_from, epochs=1, learning_rate=0.001, uses_features=train_from != "all"
    )
    classifier.freeze_below(train_from)
    run = Run(config=config, train=pictures, validation=pictures, scratch=Path())
    model = build_models(classifier, phase, run).training
    model.jit_compile = True
    assert model.jit_compile is True  # Keras resets it if a layer does not support XLA
    examples = random.random((PICTURES, *model.inputs[0].shape[1:]), np.float32) if phase.uses_features else pixels
    inputs = (examples, examples[::-1], np.full(PICTURES, 0.7, np.float32)) if config.mixup else examples
    classes = np.eye(7, dtype=np.float32)[pictures.class_index]
    return [float(model.train_on_batch(inputs, classes)[0]) for _ in range(STEPS)]


def losses_of(cases: Iterable[Mapping[str, Any]]) -> list[list[float]]:
    """Take the steps of each case."""
    return [losses(TrainingConfig(size=SIZE, seed=3, **case["config"]), case["train_from"]) for case in cases]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(losses_of(json.loads(sys.argv[1]))))
