"""Batches: every picture at most once in an epoch, rare classes weighed up, frozen features exact."""

from pathlib import Path

import numpy as np
import pytest

from training.fitting.batches import PREDICT_BATCH, Batches, Pictures, class_weights, compute_once, predict
from training.model import Classifier


def test_class_weights_leave_the_mean_loss_as_it_is_and_skip_absent_classes() -> None:
    class_index = np.array([5] * 60 + [4] * 30 + [0] * 10)
    weights = class_weights(class_index, power=1.0)
    assert weights[class_index].mean() == pytest.approx(1)
    assert weights[0] == pytest.approx(6 * weights[5])
    assert weights[1] == 0


def test_without_balance_every_class_weighs_the_same() -> None:
    assert class_weights(np.array([5, 5, 5, 0]), power=0.0)[[0, 5]] == pytest.approx([1, 1])


def test_an_epoch_shows_each_picture_at_most_once_with_its_own_class_and_never_a_rest() -> None:
    pixels = np.arange(11, dtype=np.uint8).reshape(11, 1, 1, 1)
    class_index = np.arange(11) % 7
    batches = Batches([pixels], np.arange(11), class_index, 4, np.arange(1, 8), np.random.default_rng(0))
    epochs = []
    for _ in range(2):
        shown = [batches[number] for number in range(len(batches))]
        assert [len(inputs) for inputs, _, _ in shown] == [4, 4]
        inputs = np.concatenate([batch[0] for batch in shown]).ravel()
        assert len(set(inputs)) == 8
        assert np.array_equal(np.concatenate([batch[1] for batch in shown]).argmax(axis=1), inputs % 7)
        assert np.array_equal(np.concatenate([batch[2] for batch in shown]), inputs % 7 + 1)
        epochs.append(inputs.tolist())
        batches.on_epoch_end()
    assert epochs[0] != epochs[1]


def test_unshuffled_batches_show_every_picture_in_order() -> None:
    pixels = np.arange(11, dtype=np.uint8).reshape(11, 1, 1, 1)
    batches = Batches([pixels], np.arange(11), np.zeros(11, int), 4)
    shown = np.concatenate([batches[number][0] for number in range(len(batches))]).ravel()
    assert shown.tolist() == list(range(11))


def test_frozen_features_are_what_the_network_gives_for_each_view(classifier: Classifier, tmp_path: Path) -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (9, 64, 64, 3), np.uint8)
    pictures = Pictures(pixels, np.array([8, 1, 4]), np.zeros(3, int))
    below = classifier.below("conv4")
    reports: list[tuple[str, int, int]] = []
    views = compute_once(below, pictures, 2, tmp_path, "training", lambda *report: reports.append(report))
    for features, shown in zip(views, (pixels[[8, 1, 4]], pixels[[8, 1, 4], :, ::-1]), strict=True):
        expected = below(shown).numpy()
        np.testing.assert_allclose(features, expected, atol=2e-3 * np.abs(expected).max())
    assert reports[-1] == ("computing frozen features (training)", 3, 3)


def test_a_batch_longer_or_shorter_than_usual_is_answered_in_full(classifier: Classifier) -> None:
    below = classifier.below("conv2")
    pixels = np.random.default_rng(3).integers(0, 256, (PREDICT_BATCH, 64, 64, 3), np.uint8)
    answers = predict(below, pixels)
    assert len(answers) == PREDICT_BATCH
    np.testing.assert_allclose(predict(below, pixels[:5]), answers[:5], rtol=1e-4, atol=1e-4)
