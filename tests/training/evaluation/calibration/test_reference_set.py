"""The reference set: which training embeddings it keeps, and the threshold for unfamiliar pictures."""

import numpy as np
import pytest

from training.evaluation.calibration.reference_set import (
    FALSE_ALARM_RATE,
    build_reference,
    choose_unfamiliar_threshold,
    sample_reference,
)


def test_the_reference_set_is_sampled_evenly_over_the_classes() -> None:
    class_index = np.array([5] * 500 + [4] * 40 + [3] * 10)
    chosen = sample_reference(class_index, seed=1, pictures=100)
    assert np.bincount(class_index[chosen], minlength=7).tolist() == [0, 0, 0, 10, 40, 50, 0]
    assert np.array_equal(chosen, np.unique(chosen))
    assert np.array_equal(chosen, sample_reference(class_index, seed=1, pictures=100))


def test_few_embeddings_are_kept_completely() -> None:
    embeddings = np.random.default_rng(0).random((20, 64))
    reference = build_reference(embeddings)
    units = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    np.testing.assert_allclose(reference.coordinates @ reference.axes, units, atol=1e-5)


def test_the_largest_singular_values_of_many_embeddings_are_kept() -> None:
    random = np.random.default_rng(0)
    embeddings = random.normal(size=(300, 6)) @ random.normal(size=(6, 64)) + random.normal(0, 0.01, (300, 64))
    reference = build_reference(embeddings, rank=6)
    assert reference.coordinates.shape == (300, 6)
    units = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    np.testing.assert_allclose(reference.coordinates @ reference.axes, units, atol=0.02)


def test_a_training_embedding_of_zeros_is_accepted() -> None:
    embeddings = np.eye(4, 64)
    embeddings[0] = 0
    assert build_reference(embeddings).unfamiliarity(np.eye(1, 64, 1), 1) == pytest.approx([0], abs=1e-6)


def test_one_validation_picture_in_a_hundred_is_over_the_unfamiliar_threshold() -> None:
    scores = np.random.default_rng(0).random(1000)
    assert np.mean(scores > choose_unfamiliar_threshold(scores)) == pytest.approx(FALSE_ALARM_RATE)
