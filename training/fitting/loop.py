"""The training loop: two phases, each from its lowest learning stage upwards, and the best weights seen kept."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import keras
import numpy as np
from keras import ops

from contract.errors import TrainingError
from contract.labels import CODES
from training.config import TrainFrom, TrainingConfig
from training.fitting.augment import build_augmentation
from training.fitting.batches import PREDICT_BATCH, Batches, OnProgress, Pictures, class_weights, compute_once, predict
from training.fitting.devices import ONE_PROCESSOR, Devices
from training.model import STAGES, Classifier
from training.weights import LoadedWeights

Say = Callable[[str], None]  # a line for people

# With these as the lowest learning stage, what lies below is most of the work and small when done: compute it once.
COMPUTED_ONCE: Final = ("conv4", "conv5", "head")


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A stretch of epochs over which the same stages learn."""

    name: str
    train_from: TrainFrom
    epochs: int
    learning_rate: float


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """What one pass over the training pictures came to."""

    phase: str
    loss: float  # weighted, as trained on
    balanced_accuracy: float  # on the training pictures as they were shown
    validation_loss: float
    validation_balanced_accuracy: float
    seconds: float


class BalancedAccuracy(keras.metrics.Metric):  # type: ignore[misc]
    """The mean, over the classes that occur, of the share of their pictures that were recognised."""

    def __init__(self, name: str = "balanced_accuracy") -> None:
        super().__init__(name=name)
        self.hits = self.add_weight(shape=(len(CODES),), initializer="zeros", name="hits")
        self.pictures = self.add_weight(shape=(len(CODES),), initializer="zeros", name="pictures")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count a batch of one-hot classes and logits; weights play no part."""
        del sample_weight
        hit = ops.cast(ops.equal(ops.argmax(y_true, -1), ops.argmax(y_pred, -1)), "float32")
        y_true = ops.cast(y_true, "float32")
        self.hits.assign_add(ops.sum(y_true * ops.expand_dims(hit, -1), axis=0))
        self.pictures.assign_add(ops.sum(y_true, axis=0))

    def result(self) -> Any:
        """Divide."""
        occurring = ops.cast(ops.greater(self.pictures, 0), "float32")
        return ops.sum(self.hits / ops.maximum(self.pictures, 1)) / ops.maximum(ops.sum(occurring), 1)


def plan_phases(config: TrainingConfig, loaded: LoadedWeights) -> list[Phase]:
    """Decide what learns when: first what started fresh, then from `train_from` upwards; nothing fresh stays frozen."""
    order = ("all", *STAGES[1:])
    lowest = min(config.train_from, loaded.lowest_fresh, key=order.index)
    phases = (
        Phase(
            name="head",
            train_from=loaded.lowest_fresh,
            epochs=config.head_epochs,
            learning_rate=config.head_learning_rate,
        ),
        Phase(
            name="fine-tuning",
            train_from=lowest,
            epochs=config.fine_tune_epochs,
            learning_rate=config.fine_tune_learning_rate,
        ),
    )
    return [phase for phase in phases if phase.epochs]


def fit(
    classifier: Classifier,
    config: TrainingConfig,
    loaded: LoadedWeights,
    train: Pictures,
    validation: Pictures,
    *,
    devices: Devices = ONE_PROCESSOR,
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
        devices: what was joined, and is inside; the classifier was built there.
        scratch: a folder on a disk with room for frozen features, which are removed at the end.
        on_progress: called as ("training", step, steps) and for the frozen features.
        say: called with a line for each epoch.

    Raises:
        TrainingError: the loss stopped being a number, or the disk is too small.
    """
    phases = plan_phases(config, loaded)
    weights = class_weights(train.class_index, config.class_balance)
    random = np.random.default_rng(config.seed)
    devices.check_batch(min(config.batch_size, len(train)))
    steps_per_epoch = max(1, len(train) // config.batch_size)
    watch = _Watch(classifier, phases, steps_per_epoch, config.patience, on_progress, say)
    for phase in phases:
        classifier.freeze_below(phase.train_from)
        with TemporaryDirectory(prefix="features-", dir=scratch) as folder:
            if phase.train_from in COMPUTED_ONCE:
                below, model = classifier.below(phase.train_from), classifier.above(phase.train_from)
                views = config.frozen_views if config.augment else 1
                seen = compute_once(below, train, views, Path(folder), "training", on_progress)
                held_out = compute_once(below, validation, 1, Path(folder), "validation", on_progress)
                train_rows, validation_rows = np.arange(len(train)), np.arange(len(validation))
            else:
                model = classifier.whole(build_augmentation(config.seed) if config.augment else None)
                seen, held_out = [train.pixels], [validation.pixels]
                train_rows, validation_rows = train.rows, validation.rows
            devices.prepare(model)
            model.compile(
                optimizer=keras.optimizers.Adam(_schedule(phase, config, steps_per_epoch)),
                loss=keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=config.label_smoothing),
                metrics=[BalancedAccuracy()],
                jit_compile=devices.jit_compile,
            )
            model.optimizer.build(model.trainable_variables)  # else TensorFlow traces the whole step a second time
            watch.start(phase)
            model.fit(
                devices.share(
                    Batches(seen, train_rows, train.class_index, config.batch_size, weights, random),
                    steps_per_epoch * min(config.batch_size, len(train)),
                ),
                validation_data=devices.share(
                    Batches(held_out, validation_rows, validation.class_index, PREDICT_BATCH), len(validation)
                ),
                epochs=phase.epochs,
                shuffle=False,  # Batches does
                verbose=0,
                callbacks=[watch],
            )
    watch.restore_best()
    return watch.epochs


def predict_logits(classifier: Classifier, pictures: Pictures) -> np.ndarray:
    """Ask the classifier about pictures: logits before the temperature, shape (N, 7)."""
    model = classifier.whole()
    parts = [predict(model, pictures.batch(start, PREDICT_BATCH)) for start in range(0, len(pictures), PREDICT_BATCH)]
    return np.concatenate(parts)


def _schedule(phase: Phase, config: TrainingConfig, steps_per_epoch: int) -> Any:
    """Warm up in a line, then come down in half a cosine (Loshchilov and Hutter 2017, arXiv:1608.03983)."""
    steps = phase.epochs * steps_per_epoch
    warm_up = int(config.warm_up * steps)
    if warm_up == 0:
        return keras.optimizers.schedules.CosineDecay(phase.learning_rate, steps)
    return keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - warm_up), warmup_target=phase.learning_rate, warmup_steps=warm_up
    )


class _Watch(keras.callbacks.Callback):  # type: ignore[misc]
    """Reports each step, keeps the best weights of all phases, and ends a phase that no longer gets better."""

    def __init__(
        self,
        classifier: Classifier,
        phases: list[Phase],
        steps_per_epoch: int,
        patience: int,
        on_progress: OnProgress,
        say: Say,
    ) -> None:
        super().__init__()
        self.epochs: list[Epoch] = []
        self._classifier, self._phases, self._patience = classifier, phases, patience
        self._on_progress, self._say = on_progress, say
        self._steps_per_epoch = steps_per_epoch
        self._steps = steps_per_epoch * sum(phase.epochs for phase in phases)
        self._now, self._step = phases[0], 0
        self._best = -1.0
        self._best_weights: list[list[np.ndarray]] = []
        self._waited = 0

    def start(self, phase: Phase) -> None:
        """Begin a phase, which has its own patience to better what was reached so far."""
        before = self._phases[: self._phases.index(phase)]
        self._step = self._steps_per_epoch * sum(earlier.epochs for earlier in before)
        self._now, self._waited = phase, 0
        self._on_progress("training", self._step, self._steps)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Note the time."""
        del epoch, logs
        self._began = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Report the step, and stop at a loss that no further step can mend."""
        del batch
        if logs and not math.isfinite(logs["loss"]):
            raise TrainingError(
                f"The loss stopped being a number in epoch {len(self.epochs) + 1}: lower the learning rate of the "
                f"{self._now.name} phase, which is {self._now.learning_rate:g}."
            )
        self._step += 1
        self._on_progress("training", self._step, self._steps)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Record and tell the epoch; keep its weights if they are the best so far."""
        logs = logs or {}
        done = Epoch(
            phase=self._now.name,
            loss=float(logs["loss"]),
            balanced_accuracy=float(logs["balanced_accuracy"]),
            validation_loss=float(logs["val_loss"]),
            validation_balanced_accuracy=float(logs["val_balanced_accuracy"]),
            seconds=time.perf_counter() - self._began,
        )
        self.epochs.append(done)
        self._say(
            f"  {done.phase} {epoch + 1}/{self._now.epochs}: loss {done.loss:.3f}, balanced accuracy "
            f"{done.balanced_accuracy:.3f} in training, {done.validation_balanced_accuracy:.3f} in validation "
            f"({done.seconds:.1f} s)"
        )
        self._waited += 1
        if done.validation_balanced_accuracy > self._best:
            self._best, self._waited = done.validation_balanced_accuracy, 0
            self._best_weights = [part.get_weights() for part in (self._classifier.backbone, self._classifier.head)]
        if self._waited >= self._patience:
            self.model.stop_training = True

    def restore_best(self) -> None:
        """Go back to the weights of the best epoch; the steps of phases that ended early count as done."""
        self._on_progress("training", self._steps, self._steps)
        for part, weights in zip((self._classifier.backbone, self._classifier.head), self._best_weights, strict=True):
            part.set_weights(weights)
