"""The training loop: phases of epochs, a checkpoint after each epoch, and at the end the best weights."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from training.data.pictures import Pictures
from training.fitting.epoch import Epoch
from training.fitting.imbalance import loss_weights
from training.fitting.inputs.augmentation.views import PhotographicChanges
from training.fitting.inputs.batches import PREDICT_BATCH, Batches, Examples, draw_epoch
from training.fitting.inputs.features import FeatureCache, features_folder, predict
from training.fitting.models import PhaseModels, build_models
from training.fitting.phases import Phase, plan_phases
from training.fitting.resuming.checkpointer import Checkpointer, Position
from training.fitting.run import Run
from training.fitting.speed import Speed, SpeedMeter
from training.fitting.watch import Watch
from training.model import Classifier
from training.weights import LoadedWeights


@dataclass(frozen=True, kw_only=True)
class FitResult:
    """The course of a run."""

    epochs: list[Epoch]
    speeds: Mapping[str, Speed]  # of each phase
    times_resumed: int
    features: list[Path]  # folders of frozen features in the scratch folder: for the next run, or `remove_features`


def fit(classifier: Classifier, loaded: LoadedWeights, run: Run) -> FitResult:
    """Train the classifier in place. It ends with the weights of its best epoch, by `config.monitor` in validation.

    A run whose checkpoint is in `run.checkpoints` is resumed. The last checkpoint stays there.

    Args:
        classifier: with the weights to start from.
        loaded: which of its stages have loaded weights, and which start fresh.
        run: the settings, pictures and devices.

    Raises:
        TrainingError: the loss stopped being a number, the disk is too small, the checkpoint is of another run, or
            the devices cannot share the run.
        RunInterruptedError: a stop was requested. The last finished epoch is in the checkpoint.
    """
    run.devices.check_batch(min(run.config.batch_size, len(run.train)))
    loop = _Loop(classifier, plan_phases(run.config, loaded), run)
    loop.resume()
    loop.train()
    return loop.result()


def predict_logits(classifier: Classifier, pictures: Pictures) -> np.ndarray:
    """Predict the logits of pictures, before the temperature: shape (N, 7)."""
    model = classifier.full_model()
    parts = [predict(model, pictures.batch(start, PREDICT_BATCH)) for start in range(0, len(pictures), PREDICT_BATCH)]
    return np.concatenate(parts)


class _Loop:
    """A run and its state over all phases."""

    def __init__(self, classifier: Classifier, phases: list[Phase], run: Run) -> None:
        self._classifier, self._phases, self._run = classifier, phases, run
        self._watch = Watch(classifier, phases, run)
        self._meter = SpeedMeter()
        self._checkpointer = Checkpointer(classifier, phases, run, self._watch, self._meter)
        self._stop_callback = run.devices.stop_callback(run.stop)

    def resume(self) -> None:
        """Restore the run from its checkpoint, if there is one, on all instances alike."""
        self._checkpointer.resume()
        run = self._run
        same = [asdict(run.config), dict(run.identity), len(run.train), len(run.validation)]
        run.devices.check_same_run([*same, asdict(self._checkpointer.position)])

    def train(self) -> None:
        """Train the remaining phases."""
        while self._checkpointer.position.phase < len(self._phases):
            self._train_phase(self._checkpointer.position)
        self._watch.restore_best()  # for a run that was resumed after its last epoch
        self._watch.finish()

    def result(self) -> FitResult:
        """Describe the finished run."""
        return FitResult(
            epochs=self._watch.epochs,
            speeds=self._meter.speeds,
            times_resumed=self._checkpointer.times_resumed,
            features=[self._run.scratch / name for name in sorted(self._checkpointer.features)],
        )

    def _train_phase(self, start: Position) -> None:
        phase = self._phases[start.phase]
        self._classifier.freeze_below(phase.train_from)
        train, validation = self._examples(phase)
        models = build_models(self._classifier, phase, self._run)
        self._checkpointer.restore_training_state(models.training)
        self._watch.start(phase, start.epoch)
        clock = self._meter.clock(phase.name)
        for epoch in range(start.epoch, phase.epochs):
            batches = self._training_batches(train, start.phase, epoch)
            callbacks = [self._watch, clock.time(batches), self._stop_callback]
            models.training.fit(batches, shuffle=False, verbose=0, callbacks=callbacks)  # the batches are shuffled
            self._watch.check_loss()
            self._end_if_requested()
            last = not self._validate(models, validation) or epoch + 1 == phase.epochs
            if last:
                self._watch.restore_best()  # the next phase starts from these weights
            following = Position(phase=start.phase + 1) if last else Position(phase=start.phase, epoch=epoch + 1)
            self._checkpointer.save(following, models.training)
            self._end_if_requested()
            if last:
                break
        self._run.reporter.log(f"  {phase.name}: {self._meter.speeds[phase.name]}")

    def _examples(self, phase: Phase) -> tuple[Examples, Examples]:
        """Return the training and the validation pictures themselves, or the output of the frozen stages for them."""
        run = self._run
        if not phase.uses_features:
            return Examples.of_pixels(run.train), Examples.of_pixels(run.validation)
        config = run.config
        views = 1 if config.augment == "none" else config.frozen_views
        changed = config.augment == "full" and views > 1
        changes = PhotographicChanges(config.seed, self._classifier.size) if changed else None
        folder = features_folder(
            self._classifier, phase.train_from, views, run.train, run.validation, run.scratch, changes
        )
        self._checkpointer.features.add(folder.name)
        below = self._classifier.below(phase.train_from)
        cache = FeatureCache(below, folder, run.reporter.on_progress, run.stop, changes)
        return cache.examples(run.train, run.validation, views)

    def _training_batches(self, train: Examples, phase: int, epoch: int) -> Batches:
        """Draw the batches of an epoch from the seed, the phase and the epoch only."""
        config = self._run.config
        random = np.random.default_rng([config.seed, phase, epoch])
        balance_power = config.balance_power if config.class_balance == "sampling" else 0.0
        draw = draw_epoch(train, random, balance_power=balance_power, mixup=config.mixup)
        weights = loss_weights(config, train.class_index)
        shard = self._run.devices.shard
        return Batches(train, config.batch_size, draw=draw, class_weights=weights, shard=shard)

    def _validate(self, models: PhaseModels, validation: Examples) -> bool:
        """Evaluate the epoch, and return whether the phase should continue."""
        batches: Any = self._run.devices.shard_batches(Batches(validation, PREDICT_BATCH), len(validation))
        with self._watch.averaged_weights():
            scores = models.validation.evaluate(batches, verbose=0, return_dict=True)
            return self._watch.record(scores)

    def _end_if_requested(self) -> None:
        if self._run.stop.requested:
            raise self._checkpointer.interruption()
