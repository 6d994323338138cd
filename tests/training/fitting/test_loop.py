"""The training loop: it learns, keeps the best epoch, stops when it must, and does the same again for the same seed."""

from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pytest
from scipy.special import softmax

from contract.errors import TrainingError
from tests.training.fitting.small_network import SIZE, build_small_network
from training.config import TrainFrom, TrainingConfig
from training.data.pictures import Pictures
from training.fitting.epoch import Epoch
from training.fitting.loop import fit, predict_logits
from training.fitting.phases import plan_phases
from training.fitting.watch import BalancedAccuracy, BalancedLoss
from training.model import STAGES, Classifier
from training.weights import LoadedWeights

BACKBONE_LOADED = LoadedWeights(source="test", loaded=STAGES[:-1], fresh=("head",))
TO_CONV4_LOADED = LoadedWeights(source="test", loaded=STAGES[:4], fresh=("conv5", "head"))
NOTHING_LOADED = LoadedWeights(source="none", loaded=(), fresh=STAGES)


@pytest.fixture(scope="module")
def coloured() -> tuple[Pictures, Pictures]:
    """Pictures whose class is their colour, to learn from and to choose by."""
    random = np.random.default_rng(0)
    class_index = np.arange(70) % 7
    colours = np.array([[200, 60, 60], [60, 200, 60], [60, 60, 200], [200, 200, 60], [60, 200, 200], [200, 60, 200],
                        [90, 90, 90]])  # fmt: skip
    noise = random.integers(-40, 41, (70, 64, 64, 3))
    pixels = np.clip(colours[class_index][:, None, None, :] + noise, 0, 255).astype(np.uint8)
    return Pictures(pixels, np.arange(49), class_index[:49]), Pictures(pixels, np.arange(49, 70), class_index[49:])


@pytest.fixture
def untouched_network(classifier: Classifier) -> Iterator[Classifier]:
    """The shared network, whose weights are put back afterwards."""
    before = [part.get_weights() for part in (classifier.backbone, classifier.head)]
    yield classifier
    for part, weights in zip((classifier.backbone, classifier.head), before, strict=True):
        part.set_weights(weights)
    classifier.freeze_below("all")


def train_head(
    classifier: Classifier, pictures: tuple[Pictures, Pictures], scratch: Path, **changes: object
) -> tuple[list[Epoch], list[str], list[tuple[str, int, int]]]:
    settings = {"size": 64, "head_epochs": 3, "fine_tune_epochs": 0, "batch_size": 16, "head_learning_rate": 0.02}
    config = TrainingConfig(**{**settings, **changes})  # type: ignore[arg-type]
    lines: list[str] = []
    progress: list[tuple[str, int, int]] = []
    random = np.random.default_rng(1)
    classifier.head.set_weights([random.normal(0, 0.01, classifier.head.kernel.shape), np.zeros(7)])
    fitted = fit(
        classifier,
        config,
        BACKBONE_LOADED,
        *pictures,
        scratch=scratch,
        on_progress=lambda *report: progress.append(report),
        say=lines.append,
    )
    return fitted.epochs, lines[:-1], progress  # the last one tells the speed


def test_the_loop_learns_reports_and_ends_with_the_best_epoch(
    untouched_network: Classifier, coloured: tuple[Pictures, Pictures], tmp_path: Path
) -> None:
    epochs, lines, progress = train_head(untouched_network, coloured, tmp_path, head_epochs=40, patience=40)

    assert len(epochs) == len(lines) == 40
    assert epochs[-1].loss < epochs[0].loss / 2
    best = max(epoch.validation_balanced_accuracy for epoch in epochs)
    assert best > 0.7  # one in seven is chance
    held_out = coloured[1]
    answered = predict_logits(untouched_network, held_out).argmax(axis=1)
    recalls = [np.mean(answered[held_out.class_index == index] == index) for index in range(7)]
    assert np.mean(recalls) == pytest.approx(best, abs=1e-6)
    training = [(done, total) for what, done, total in progress if what == "training"]
    assert training[0] == (0, 120)
    assert training[-1] == (120, 120)


def test_the_same_seed_gives_the_same_weights(
    untouched_network: Classifier, coloured: tuple[Pictures, Pictures], tmp_path: Path
) -> None:
    kernels = []
    for _ in range(2):
        train_head(untouched_network, coloured, tmp_path, head_epochs=1)
        kernels.append(untouched_network.head.get_weights()[0])
    np.testing.assert_allclose(kernels[0], kernels[1], atol=1e-6)


def test_a_phase_that_no_longer_gets_better_ends_and_counts_as_done(
    untouched_network: Classifier, coloured: tuple[Pictures, Pictures], tmp_path: Path
) -> None:
    epochs, _, progress = train_head(
        untouched_network, coloured, tmp_path, head_epochs=9, patience=1, head_learning_rate=1e-9
    )
    assert len(epochs) == 2
    assert progress[-1] == ("training", 27, 27)


def test_a_loss_that_is_no_number_stops_the_run_with_what_to_do(
    untouched_network: Classifier, coloured: tuple[Pictures, Pictures], tmp_path: Path
) -> None:
    kernel, bias = untouched_network.head.get_weights()
    untouched_network.head.set_weights([np.full_like(kernel, np.nan), bias])
    settings = TrainingConfig(size=64, head_epochs=1, fine_tune_epochs=0, batch_size=16)
    with pytest.raises(TrainingError, match=r"stopped being a number in epoch 1: lower the learning rate .* 0\.001"):
        fit(
            untouched_network,
            settings,
            BACKBONE_LOADED,
            *coloured,
            scratch=tmp_path,
            on_progress=lambda *_: None,
            say=lambda _: None,
        )


@pytest.mark.parametrize(
    "changes",
    [
        {"class_balance": "sampling"},
        {"class_balance": "focal", "train_from": "conv4"},
        {"class_balance": "logit_adjusted", "mixup": 0.4},  # of frozen features
        {"train_from": "conv2", "mixup": 0.4},  # of pixels, augmented
        {"frozen_views": 0},  # of pixels, augmented, though all stages but the last are frozen
        {"train_from": "all", "augment": False},
    ],
)
def test_every_way_to_learn_learns(
    coloured: tuple[Pictures, Pictures], tmp_path: Path, changes: dict[str, object]
) -> None:
    small = tuple(Pictures(p.pixels[:, ::2, ::2], p.rows, p.class_index) for p in coloured)
    settings = {"head_epochs": 1, "fine_tune_epochs": 12, "patience": 12, "batch_size": 8, "train_from": "conv5"}
    config = TrainingConfig(size=SIZE, fine_tune_learning_rate=0.01, **{**settings, **changes})  # type: ignore[arg-type]
    network = build_small_network(3)
    fitted = fit(network, config, BACKBONE_LOADED, *small, scratch=tmp_path)
    assert len(fitted.epochs) == 13
    assert fitted.epochs[-1].loss < 0.95 * fitted.epochs[1].loss
    assert fitted.speeds["fine-tuning"].steps == 12 * 6 - 1
    assert sorted(tmp_path.iterdir()) == fitted.features
    computed_once = {"head", config.train_from} & {"head", "conv5"} if config.frozen_views else ()
    assert len(fitted.features) == len(computed_once)


def test_a_run_whose_phases_freeze_the_same_computes_features_once(
    coloured: tuple[Pictures, Pictures], tmp_path: Path
) -> None:
    small = tuple(Pictures(p.pixels[:, ::2, ::2], p.rows, p.class_index) for p in coloured)
    config = TrainingConfig(size=SIZE, head_epochs=1, fine_tune_epochs=1, train_from="conv5", batch_size=8)
    reports: list[str] = []
    for _ in range(2):
        network = build_small_network(3)
        fit(network, config, TO_CONV4_LOADED, *small, scratch=tmp_path, on_progress=lambda *it: reports.append(it[0]))
    assert reports.count("computing frozen features (training)") == 1
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("train_from", "loaded", "expected"),
    [
        ("conv3", BACKBONE_LOADED, ["head", "conv3"]),
        ("head", TO_CONV4_LOADED, ["conv5", "conv5"]),
        ("conv3", TO_CONV4_LOADED, ["conv5", "conv3"]),
        ("conv5", NOTHING_LOADED, ["all", "all"]),
    ],
)
def test_what_starts_fresh_is_never_frozen(train_from: TrainFrom, loaded: LoadedWeights, expected: list[str]) -> None:
    phases = plan_phases(TrainingConfig(train_from=train_from, head_epochs=2, fine_tune_epochs=3), loaded)
    assert [phase.train_from for phase in phases] == expected
    assert [phase.epochs for phase in phases] == [2, 3]


def test_a_phase_without_epochs_is_left_out() -> None:
    phases = plan_phases(TrainingConfig(head_epochs=0, fine_tune_epochs=3), BACKBONE_LOADED)
    assert [phase.name for phase in phases] == ["fine-tuning"]


def test_the_balanced_loss_averages_the_classes_that_occur() -> None:
    metric = BalancedLoss()
    random = np.random.default_rng(0)
    truth, logits = np.array([5, 5, 5, 5, 4, 4]), random.normal(0, 1, (6, 7))
    for part in (slice(0, 3), slice(3, 6)):
        metric.update_state(np.eye(7)[truth[part]], logits[part])
    of_each = -np.log(softmax(logits, axis=1)[np.arange(6), truth])
    expected = (of_each[:4].mean() + of_each[4:].mean()) / 2
    assert float(keras.ops.convert_to_numpy(metric.result())) == pytest.approx(expected, rel=1e-5)


def test_balanced_accuracy_averages_the_classes_that_occur() -> None:
    metric = BalancedAccuracy()
    truth, answered = np.array([5, 5, 5, 5, 4, 4]), np.array([5, 5, 5, 4, 4, 0])
    for part in (slice(0, 3), slice(3, 6)):
        metric.update_state(np.eye(7)[truth[part]], np.eye(7)[answered[part]])
    assert float(keras.ops.convert_to_numpy(metric.result())) == pytest.approx((3 / 4 + 1 / 2) / 2)
