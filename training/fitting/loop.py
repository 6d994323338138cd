"""The training loop: two phases, each from its lowest learning stage upwards, and the best weights seen kept."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np

from training.config import TrainFrom, TrainingConfig
from training.data.pictures import Pictures
from training.fitting.augment import Mix, build_augmentation
from training.fitting.batches import PREDICT_BATCH, Batches, Examples, draw_epoch
from training.fitting.devices import ONE_PROCESSOR, Devices
from training.fitting.epoch import Epoch
from training.fitting.features import features_folder, frozen_features, predict
from training.fitting.imbalance import build_loss, loss_weights
from training.fitting.phases import Phase, plan_phases
from training.fitting.precision import scale_loss
from training.fitting.resuming.checkpointer import Keeper, Position
from training.fitting.resuming.stop import StopRequest
from training.fitting.speed import Meter, Speed, StepClock
from training.fitting.watch import BalancedAccuracy, BalancedLoss, Watch
from training.model import Classifier
from training.progress import OnProgress, Say
from training.weights import LoadedWeights

# With these as the lowest learning stage, what lies below is much of the work and small when done: compute it once.
# Below conv4 it is a fifth of a step, for which the pictures may as well be augmented anew.
COMPUTED_ONCE: Final = ("conv4_block4", "conv5", "head")


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """How a run went."""

    epochs: list[Epoch]
    speeds: dict[str, Speed]  # of each phase
    times_resumed: int
    features: list[Path]  # folders of frozen features, in the scratch folder, for the next run or `remove_features`


def fit(
    classifier: Classifier,
    config: TrainingConfig,
    loaded: LoadedWeights,
    train: Pictures,
    validation: Pictures,
    *,
    devices: Devices = ONE_PROCESSOR,
    scratch: Path,
    checkpoints: Path | None = None,
    run: dict[str, Any] | None = None,
    stop: StopRequest | None = None,
    on_progress: OnProgress = lambda *_: None,
    say: Say = lambda _: None,
) -> Fitted:
    """Train the classifier in place; it ends with the weights of the best epoch, by `config.monitor` in validation.

    Args:
        classifier: with the weights to start from.
        config: of the run.
        loaded: which of those weights are fresh.
        train: to learn from; no lesion of it may be in `validation`.
        validation: to choose the epoch by.
        devices: what was joined, and still is; the classifier was built there.
        scratch: a folder on a disk with room for frozen features, which stay there.
        checkpoints: a folder for this run alone, which is there; a run that it holds is taken up. None keeps nothing.
        run: what else decides the result: a checkpoint that was written under another one is refused.
        stop: asked between steps whether to end.
        on_progress: called as ("training", step, steps) and for the frozen features.
        say: called with a line for each epoch.

    Raises:
        TrainingError: the loss stopped being a number, the disk is too small, the checkpoint is not of this run, or
            the devices cannot share it.
        RunInterruptedError: `stop` was requested; the run is written down.
    """
    stop = stop or StopRequest()
    devices.check_batch(min(config.batch_size, len(train)))
    phases = plan_phases(config, loaded)
    steps = max(1, len(train) // config.batch_size)  # in an epoch
    watch = Watch(classifier, phases, steps, config.patience, config.average_epochs, config.monitor, on_progress, say)
    meter = Meter()
    keeper = Keeper(checkpoints, run or {}, classifier, watch, meter, stop, say, writes=devices.cluster.leads)
    keeper.resume(phases)
    devices.check_same([asdict(config), run, len(train), len(validation), asdict(keeper.position)])
    told_to_stop = devices.share_stop(stop)
    while keeper.position.phase < len(phases):
        phase = phases[keeper.position.phase]
        classifier.freeze_below(phase.train_from)
        learn, choose = _examples(classifier, config, phase, train, validation, scratch, on_progress, keeper, stop)
        models = _build_models(classifier, config, phase, train, steps, devices)
        keeper.enter(models.learning, steps)
        watch.start(phase, keeper.position.epoch, keeper.position.step)
        clock = meter.clock(phase.name)
        _run_phase(models, config, learn, choose, phases, watch, clock, keeper, devices, told_to_stop)
        say(f"  {phase.name}: {meter.of[phase.name]}")
    watch.restore_best()  # once more, for a run that was taken up after its last epoch
    watch.end()
    return Fitted(
        epochs=watch.epochs,
        speeds=meter.of,
        times_resumed=keeper.times_resumed,
        features=[scratch / name for name in sorted(keeper.features)],
    )


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


def _computes_once(config: TrainingConfig, phase: Phase) -> bool:
    return bool(config.frozen_views) and phase.train_from in COMPUTED_ONCE


def _examples(
    classifier: Classifier,
    config: TrainingConfig,
    phase: Phase,
    train: Pictures,
    validation: Pictures,
    scratch: Path,
    on_progress: OnProgress,
    keeper: Keeper,
    stop: StopRequest,
) -> tuple[Examples, Examples]:
    """Take the pictures themselves, or what frozen stages make of them."""
    if _computes_once(config, phase):
        views = config.frozen_views if config.augment else 1
        folder = features_folder(classifier, phase.train_from, views, train, validation, scratch)
        keeper.features.add(folder.name)
        below = classifier.below(phase.train_from)
        return frozen_features(below, views, train, validation, folder, on_progress, stop)
    return (
        Examples([train.pixels], train.rows, train.class_index),
        Examples([validation.pixels], validation.rows, validation.class_index),
    )


def _build_models(
    classifier: Classifier,
    config: TrainingConfig,
    phase: Phase,
    train: Pictures,
    steps_per_epoch: int,
    devices: Devices,
) -> _Models:
    boundary: TrainFrom = phase.train_from if _computes_once(config, phase) else "all"
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
    devices.prepare(learning)
    learning.compile(
        optimizer=scale_loss(keras.optimizers.Adam(_schedule(phase, config, steps_per_epoch)), classifier.precision),
        loss=loss,
        metrics=[BalancedAccuracy()],
        jit_compile=devices.jit_compile,
    )
    learning.optimizer.build(learning.trainable_variables)  # else TensorFlow traces the whole step a second time
    judging.compile(loss=loss, metrics=[BalancedAccuracy(), BalancedLoss()], jit_compile=devices.jit_compile)
    return _Models(learning, judging)


def _run_phase(
    models: _Models,
    config: TrainingConfig,
    learn: Examples,
    choose: Examples,
    phases: list[Phase],
    watch: Watch,
    clock: StepClock,
    keeper: Keeper,
    devices: Devices,
    told_to_stop: keras.callbacks.Callback,
) -> None:
    """Train and judge epoch by epoch, from where the keeper is, until the phase is over."""
    weights = loss_weights(config, learn.class_index)
    balance_power = config.balance_power if config.class_balance == "sampling" else 0.0
    number = keeper.position.phase
    while keeper.position.phase == number:
        epoch, first = keeper.position.epoch, keeper.position.step
        random = np.random.default_rng([config.seed, number, epoch])
        draw = draw_epoch(learn, random, balance_power=balance_power, mixup=config.mixup)
        batches = Batches(learn, config.batch_size, draw=draw, class_weights=weights, first=first, shard=devices.shard)
        models.learning.fit(
            batches,
            shuffle=False,  # the draw is
            verbose=0,
            callbacks=[watch, clock.time(batches), told_to_stop, keeper.begin(first)],
        )
        watch.check()
        if keeper.ended_epoch_early:
            keeper.give_way(phases)
        shown = devices.share(Batches(choose, PREDICT_BATCH), len(choose))
        with watch.averaged():
            go_on = watch.judge(models.judging.evaluate(shown, verbose=0, return_dict=True))
        go_on = go_on and epoch + 1 < phases[number].epochs
        if not go_on:
            watch.restore_best()  # the next phase begins there
        following = Position(phase=number, epoch=epoch + 1) if go_on else Position(phase=number + 1)
        keeper.end_epoch(following, phases)


def _schedule(phase: Phase, config: TrainingConfig, steps_per_epoch: int) -> Any:
    """Warm up in a line, then come down in half a cosine (Loshchilov and Hutter 2017, arXiv:1608.03983)."""
    steps = phase.epochs * steps_per_epoch
    warm_up = int(config.warm_up * steps)
    if warm_up == 0:
        return keras.optimizers.schedules.CosineDecay(phase.learning_rate, steps)
    return keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - warm_up), warmup_target=phase.learning_rate, warmup_steps=warm_up
    )
