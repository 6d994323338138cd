"""The training loop: it learns, keeps the best epoch, ends early, and gives the same result for the same seed."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from contract.errors import TrainingError
from tests.training.fitting.small_network import SIZE, build_small_network
from training.config import TrainFrom, TrainingConfig
from training.data.pictures import Pictures
from training.fitting.epoch import Epoch
from training.fitting.loop import fit, predict_logits
from training.fitting.phases import plan_phases
from training.fitting.run import Run
from training.model import STAGES, Classifier
from training.progress import Reporter
from training.weights import LoadedWeights

BACKBONE_LOADED = LoadedWeights(source="test", loaded=STAGES[:-1], fresh=("head",))
TO_CONV4_LOADED = LoadedWeights(source="test", loaded=STAGES[:4], fresh=("conv5", "head"))
NOTHING_LOADED = LoadedWeights(source="none", loaded=(), fresh=STAGES)


@pytest.fixture(scope="module")
def coloured() -> tuple[Pictures, Pictures]:
    """Training and validation pictures whose class is their colour."""
    random = np.random.default_rng(0)
    class_index = np.arange(70) % 7
    colours = np.array([[200, 60, 60], [60, 200, 60], [60, 60, 200], [200, 200, 60], [60, 200, 200], [200, 60, 200],
                        [90, 90, 90]])  # fmt: skip
    noise = random.integers(-40, 41, (70, 64, 64, 3))
    pixels = np.clip(colours[class_index][:, None, None, :] + noise, 0, 255).astype(np.uint8)
    return Pictures(pixels, np.arange(49), class_index[:49]), Pictures(pixels, np.arange(49, 70), class_index[49:])


@pytest.fixture
def untouched_network(classifier: Classifier) -> Iterator[Classifier]:
    """The shared network. Its weights are restored afterwards."""
    before = [part.get_weights() for part in (classifier.backbone, classifier.head)]
    yield classifier
    for part, weights in zip((classifier.backbone, classifier.head), before, strict=True):
        part.set_weights(weights)
    classifier.freeze_below("all")


def halve(pictures: Pictures) -> Pictures:
    """Take every second pixel of the pictures, in both directions."""
    return Pictures(pictures.pixels[:, ::2, ::2], pictures.rows, pictures.class_index)


def train_head(
    classifier: Classifier, pictures: tuple[Pictures, Pictures], scratch: Path, **changes: object
) -> tuple[list[Epoch], list[str], list[tuple[str, int, int]]]:
    settings = {"size": 64, "head_epochs": 3, "fine_tune_epochs": 0, "batch_size": 16, "head_learning_rate": 0.02}
    config = TrainingConfig(**{**settings, **changes})  # type: ignore[arg-type]
    lines: list[str] = []
    progress: list[tuple[str, int, int]] = []
    random = np.random.default_rng(1)
    classifier.head.set_weights([random.normal(0, 0.01, classifier.head.kernel.shape), np.zeros(7)])
    reporter = Reporter(lambda *report: progress.append(report), lines.append)
    train, validation = pictures
    run = Run(config=config, train=train, validation=validation, scratch=scratch, reporter=reporter)
    result = fit(classifier, BACKBONE_LOADED, run)
    return result.epochs, lines[:-1], progress  # the last line is the speed


def test_the_loop_learns_reports_and_ends_with_the_best_epoch(
    untouched_network: Classifier, coloured: tuple[Pictures, Pictures], tmp_path: Path
) -> None:
    epochs, lines, progress = train_head(untouched_network, coloured, tmp_path, head_epochs=40, patience=40)

    assert len(epochs) == len(lines) == 40
    assert epochs[-1].loss < epochs[0].loss / 2
    best = max(epoch.validation_balanced_accuracy for epoch in epochs)
    assert best > 0.7  # one in seven is chance
    validation = coloured[1]
    predicted = predict_logits(untouched_network, validation).argmax(axis=1)
    recalls = [np.mean(predicted[validation.class_index == index] == index) for index in range(7)]
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


def test_a_phase_that_stops_improving_ends_and_counts_as_done(
    untouched_network: Classifier, coloured: tuple[Pictures, Pictures], tmp_path: Path
) -> None:
    epochs, _, progress = train_head(
        untouched_network, coloured, tmp_path, head_epochs=9, patience=1, head_learning_rate=1e-9
    )
    assert len(epochs) == 2
    assert progress[-1] == ("training", 27, 27)


def test_a_loss_that_is_not_a_number_ends_the_run_and_names_the_remedy(
    untouched_network: Classifier, coloured: tuple[Pictures, Pictures], tmp_path: Path
) -> None:
    kernel, bias = untouched_network.head.get_weights()
    untouched_network.head.set_weights([np.full_like(kernel, np.nan), bias])
    config = TrainingConfig(size=64, head_epochs=1, fine_tune_epochs=0, batch_size=16)
    run = Run(config=config, train=coloured[0], validation=coloured[1], scratch=tmp_path)
    with pytest.raises(TrainingError, match=r"stopped being a number in epoch 1: lower the learning rate .* 0\.001"):
        fit(untouched_network, BACKBONE_LOADED, run)


@pytest.mark.parametrize(
    "changes",
    [
        {"class_balance": "sampling"},
        {"class_balance": "focal", "train_from": "conv4"},
        {"class_balance": "logit_adjusted", "mixup": 0.4},  # mixes frozen features
        {"train_from": "conv2", "mixup": 0.4},  # mixes augmented pixels
        {"frozen_views": 0},  # augmented pixels, though all stages except the last are frozen
        {"train_from": "all", "augment": "none"},
        {"train_from": "conv2", "augment": "full"},
        {"augment": "full", "frozen_views": 9},
    ],
)
def test_every_configuration_learns(
    coloured: tuple[Pictures, Pictures], tmp_path: Path, changes: dict[str, object]
) -> None:
    train, validation = (halve(pictures) for pictures in coloured)
    settings = {"head_epochs": 1, "fine_tune_epochs": 12, "patience": 12, "batch_size": 8, "train_from": "conv5"}
    config = TrainingConfig(size=SIZE, fine_tune_learning_rate=0.01, **{**settings, **changes})  # type: ignore[arg-type]
    network = build_small_network(3)
    result = fit(network, BACKBONE_LOADED, Run(config=config, train=train, validation=validation, scratch=tmp_path))
    assert len(result.epochs) == 13
    assert result.epochs[-1].loss < 0.95 * result.epochs[1].loss
    assert result.speeds["fine-tuning"].steps == 12 * 6 - 1
    assert sorted(tmp_path.iterdir()) == result.features
    computed_once = {"head", config.train_from} & {"head", "conv5"} if config.frozen_views else ()
    assert len(result.features) == len(computed_once)


def test_runs_and_phases_with_the_same_frozen_stages_compute_features_once(
    coloured: tuple[Pictures, Pictures], tmp_path: Path
) -> None:
    train, validation = (halve(pictures) for pictures in coloured)
    config = TrainingConfig(size=SIZE, head_epochs=1, fine_tune_epochs=1, train_from="conv5", batch_size=8)
    reports: list[str] = []
    reporter = Reporter(lambda *report: reports.append(report[0]))
    run = Run(config=config, train=train, validation=validation, scratch=tmp_path, reporter=reporter)
    for _ in range(2):
        fit(build_small_network(3), TO_CONV4_LOADED, run)
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
def test_a_stage_with_fresh_weights_is_never_frozen(
    train_from: TrainFrom, loaded: LoadedWeights, expected: list[str]
) -> None:
    phases = plan_phases(TrainingConfig(train_from=train_from, head_epochs=2, fine_tune_epochs=3), loaded)
    assert [phase.train_from for phase in phases] == expected
    assert [phase.epochs for phase in phases] == [2, 3]


def test_a_phase_without_epochs_is_left_out() -> None:
    phases = plan_phases(TrainingConfig(head_epochs=0, fine_tune_epochs=3), BACKBONE_LOADED)
    assert [phase.name for phase in phases] == ["fine-tuning"]
