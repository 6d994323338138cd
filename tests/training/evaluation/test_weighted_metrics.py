"""Each metric for many weightings at once equals scikit-learn's for each of them."""

import numpy as np
import pytest
from sklearn import metrics

from contract.labels import CODES
from training.evaluation.weighted_metrics import (
    average_precisions,
    balanced_accuracies,
    confusion_matrices,
    f1_scores,
    macro_f1,
    precisions,
    recalls,
    roc_areas,
    weighted_f1,
)

LABELS = range(len(CODES))


@pytest.fixture
def weighted_predictions() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True classes, mostly correct predictions, and three weightings with some zeros."""
    random = np.random.default_rng(3)
    truth = random.permutation(np.repeat(LABELS, [40, 20, 30, 5, 25, 60, 10]))
    predicted = np.where(random.random(len(truth)) < 0.6, truth, random.integers(0, 7, len(truth)))
    return truth, predicted, random.integers(0, 4, (3, len(truth))).astype(float)


def test_metrics_of_the_confusion_matrix_equal_those_of_scikit_learn(
    weighted_predictions: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    truth, predicted, weights = weighted_predictions
    confusion = confusion_matrices(predicted, truth, weights)
    for row, weight in enumerate(weights):
        given = {"sample_weight": weight, "labels": LABELS}
        np.testing.assert_allclose(confusion[row], metrics.confusion_matrix(truth, predicted, **given))
        expected = metrics.precision_recall_fscore_support(truth, predicted, **given)
        np.testing.assert_allclose(precisions(confusion)[row], expected[0])
        np.testing.assert_allclose(recalls(confusion)[row], expected[1])
        np.testing.assert_allclose(f1_scores(confusion)[row], expected[2])
        assert macro_f1(confusion)[row] == pytest.approx(metrics.f1_score(truth, predicted, average="macro", **given))
        assert weighted_f1(confusion)[row] == pytest.approx(
            metrics.f1_score(truth, predicted, average="weighted", **given)
        )
        assert balanced_accuracies(confusion)[row] == pytest.approx(
            metrics.balanced_accuracy_score(truth, predicted, sample_weight=weight)
        )


@pytest.mark.parametrize("ties", [False, True])
def test_roc_areas_and_average_precisions_equal_those_of_scikit_learn(
    weighted_predictions: tuple[np.ndarray, np.ndarray, np.ndarray], *, ties: bool
) -> None:
    truth, _, weights = weighted_predictions
    positive = truth == CODES.index("mel")
    scores = np.random.default_rng(1).normal(positive, 1)
    scores = np.round(scores, 0 if ties else 9)
    areas, precision = roc_areas(scores, positive, weights), average_precisions(scores, positive, weights)
    for row, weight in enumerate(weights):
        assert areas[row] == pytest.approx(metrics.roc_auc_score(positive, scores, sample_weight=weight))
        assert precision[row] == pytest.approx(metrics.average_precision_score(positive, scores, sample_weight=weight))


def test_without_positives_or_without_negatives_there_is_no_area() -> None:
    scores, weights = np.array([0.1, 0.2, 0.3]), np.array([[1, 1, 0], [0, 0, 1], [1, 1, 1]])
    areas = roc_areas(scores, np.array([False, False, True]), weights)
    assert np.isnan(areas[:2]).all()
    assert areas[2] == 1
    assert np.isnan(average_precisions(scores, np.array([False, False, True]), weights)[0])
