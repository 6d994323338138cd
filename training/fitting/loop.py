"""The training loop: two phases, each from its lowest learning stage upwards, and the best weights seen kept."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import keras
import numpy as np

from training.config import TrainFrom, TrainingConfig
from training.fitting.augment import Mix, build_augmentation
from training.fitting.batches import PREDICT_BATCH, Batches, Examples, OnProgress, Pictures, draw_epoch
from training.fitting.features import compute_once, predict
from training.fitting.imbalance import build_loss, loss_weights
from training.fitting.phases import Epoch, Phase, plan_phases
from training.fitting.watch import BalancedAccuracy, Say, Watch
from training.model import Classifier
from training.weights import LoadedWeights

# With these as the lowest learning stage, what lies below is most of the work and small when done: compute it once.
COMPUTED_ONCE: Final = ("conv4", "conv5", "head")


def fit(
    classifier: Classifier,
    config: TrainingConfig,
    loaded: LoadedWeights,
    train: Pictures,
    validation: Pictures,
    *,
    scratch: Path,
    on_progress: OnProgress,
    say: Say,
) -> list[Epoch]:
    """Train the classifier in place; it ends with the weights of the best epoch, by balanced accuracy in validation.

    Args:
        classifier: with the weights to start from.
        config: of the run.
        loaded: which of those weights are fresh.
        train: to learn from; no lesion of it may be in `validation`.
        validation: to choose the epoch by.
        scratch: a folder on a disk with room for frozen features, which are removed at the end.
        on_progress: called as ("training", step, steps) and for the frozen features.
        say: called with a line for each epoch.

    Raises:
        TrainingError: the loss stopped being a number, or the disk is too small.
    """
    phases = plan_phases(config, loaded)
    steps_per_epoch = max(1, len(train) // config.batch_size)
    watch = Watch(classifier, phases, steps_per_epoch, config.patience, on_progress, say)
    for number, phase in enumerate(phases):
        classifier.freeze_below(phase.train_from)
        with TemporaryDirectory(prefix="features-", dir=scratch) as folder:
            learn, choose = _examples(classifier, config, phase, train, validation, Path(folder), on_progress)
            models = _build_models(classifier, config, phase, train, steps_per_epoch)
            watch.start(phase)
            for epoch in range(phase.epochs):
                if not _pass_over(models, config, learn, choose, (number, epoch), watch):
                    break
    watch.restore_best()
    return watch.epochs


def predict_logits(classifier: Classifier, pictures: Pictures) -> np.ndarray:
    """Ask the classifier about pictures: logits before the temperature, shape (N, 7)."""
    model = classifier.whole()
    parts = [predict(model, pictures.batch(start, PREDICT_BATCH)) for start in range(0, len(pictures), PREDICT_BATCH)]
    return np.concatenate(parts)


@dataclass(frozen=True, eq=False)
class _Models:
    """Two over the same layers: one with what changes the pictures, which learns, and one as they are, to judge by."""

    learning: keras.Model
    judging: keras.Model


def _examples(
    classifier: Classifier,
    config: TrainingConfig,
    phase: Phase,
    train: Pictures,
    validation: Pictures,
    folder: Path,
    on_progress: OnProgress,
) -> tuple[Examples, Examples]:
    """Take the pictures themselves, or what frozen stages make of them."""
    if phase.train_from not in COMPUTED_ONCE:
        return (
            Examples([train.pixels], train.rows, train.class_index),
            Examples([validation.pixels], validation.rows, validation.class_index),
        )
    below = classifier.below(phase.train_from)
    views = config.frozen_views if config.augment else 1
    seen = compute_once(below, train, views, folder, "training", on_progress)
    held_out = compute_once(below, validation, 1, folder, "validation", on_progress)
    return (
        Examples(seen, np.arange(len(train)), train.class_index),
        Examples(held_out, np.arange(len(validation)), validation.class_index),
    )


def _build_models(
    classifier: Classifier, config: TrainingConfig, phase: Phase, train: Pictures, steps_per_epoch: int
) -> _Models:
    boundary: TrainFrom = phase.train_from if phase.train_from in COMPUTED_ONCE else "all"
    judging = classifier.whole() if boundary == "all" else classifier.above(boundary)
    shape, dtype = judging.input_shape[1:], judging.input.dtype
    if config.mixup:
        inputs = [keras.Input(shape, dtype=dtype), keras.Input(shape, dtype=dtype), keras.Input(())]
        shown = Mix(dtype="float32")(*inputs)
    else:
        inputs = shown = keras.Input(shape, dtype=dtype)
    if config.augment and boundary == "all":
        shown = build_augmentation(config.seed)(shown)
    learning = keras.Model(inputs, classifier.logits_of(shown, boundary), name="learning")
    loss = build_loss(config, train.class_index)
    jit_compile = "auto" if _on_accelerator() else False  # on a CPU, compiling takes longer than it saves
    learning.compile(
        optimizer=keras.optimizers.Adam(_schedule(phase, config, steps_per_epoch)),
        loss=loss,
        metrics=[BalancedAccuracy()],
        jit_compile=jit_compile,
    )
    learning.optimizer.build(learning.trainable_variables)  # else TensorFlow traces the whole step a second time
    judging.compile(loss=loss, metrics=[BalancedAccuracy()], jit_compile=jit_compile)
    return _Models(learning, judging)


def _pass_over(
    models: _Models,
    config: TrainingConfig,
    learn: Examples,
    choose: Examples,
    position: tuple[int, int],  # the numbers of the phase and of the epoch in it
    watch: Watch,
) -> bool:
    """Train for one epoch and judge it; tell whether to go on."""
    draw = draw_epoch(
        learn,
        np.random.default_rng([config.seed, *position]),
        balance_power=config.balance_power if config.class_balance == "sampling" else 0.0,
        mixup=config.mixup,
    )
    models.learning.fit(
        Batches(learn, config.batch_size, draw=draw, class_weights=loss_weights(config, learn.class_index)),
        shuffle=False,  # the draw is
        verbose=0,
        callbacks=[watch],
    )
    return watch.judge(models.judging.evaluate(Batches(choose, PREDICT_BATCH), verbose=0, return_dict=True))


def _schedule(phase: Phase, config: TrainingConfig, steps_per_epoch: int) -> Any:
    """Warm up in a line, then come down in half a cosine (Loshchilov and Hutter 2017, arXiv:1608.03983)."""
    steps = phase.epochs * steps_per_epoch
    warm_up = int(config.warm_up * steps)
    if warm_up == 0:
        return keras.optimizers.schedules.CosineDecay(phase.learning_rate, steps)
    return keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - warm_up), warmup_target=phase.learning_rate, warmup_steps=warm_up
    )


def _on_accelerator() -> bool:
    return any(not device.startswith("cpu") for device in keras.distribution.list_devices())
