"""Frozen features: what the network gives, computed once."""

from pathlib import Path

import numpy as np

from training.fitting.batches import PREDICT_BATCH, Pictures
from training.fitting.features import compute_once, predict
from training.model import Classifier


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
