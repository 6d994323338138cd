"""Operating points: thresholds that reach their sensitivity with the best specificity."""

import numpy as np
import pytest
from scipy.special import softmax

from contract.errors import TrainingError
from contract.labels import CODES, MALIGNANT_CODES
from tests.training.evaluation.calibration.calibrated_logits import calibrated_logits
from training.evaluation.calibration.operating_points import (
    TARGET_SENSITIVITY,
    choose_operating_points,
    sum_probabilities,
)


@pytest.mark.parametrize("seed", range(5))
def test_operating_points_reach_the_sensitivity_and_no_higher_threshold_does(seed: int) -> None:
    logits, class_index = calibrated_logits(300, seed)
    probabilities = softmax(logits / 2, axis=1)
    for name, point in choose_operating_points(probabilities, class_index).items():
        scores = sum_probabilities(probabilities, point.classes)
        positive = np.isin(class_index, [CODES.index(code) for code in point.classes])
        assert point.sensitivity == np.mean(scores[positive] >= point.threshold)
        assert point.specificity == np.mean(scores[~positive] < point.threshold)
        groups = [positive, class_index == CODES.index("mel")]
        targets = [TARGET_SENSITIVITY + np.sqrt(0.9 * 0.1 / group.sum()) for group in groups]
        higher = scores[scores > point.threshold].min() + 1e-9
        reached = [np.mean(scores[group] >= point.threshold) for group in groups]
        reached_higher = [np.mean(scores[group] >= higher) for group in groups]
        assert all(value >= target for value, target in zip(reached, targets, strict=True)), name
        assert any(value < target for value, target in zip(reached_higher, targets, strict=True)), name
        assert np.abs(scores - point.threshold).min() > 0  # no picture lies on the threshold


def test_the_any_malignant_threshold_also_reaches_the_sensitivity_for_melanoma() -> None:
    class_index = np.repeat([CODES.index(code) for code in ("mel", "bcc", "nv")], (40, 400, 400))
    scores = np.concatenate([np.linspace(0.2, 0.6, 40), np.linspace(0.7, 0.9, 400), np.linspace(0.0, 0.5, 400)])
    probabilities = np.zeros((840, 7))
    probabilities[:, CODES.index("bcc")], probabilities[:, CODES.index("nv")] = scores, 1 - scores
    point = choose_operating_points(probabilities, class_index)["any_malignant"]
    assert np.mean(scores[:40] >= point.threshold) == pytest.approx(0.95)
    assert point.sensitivity == pytest.approx(438 / 440)


def test_all_of_a_few_malignant_pictures_are_found() -> None:
    class_index = np.array([CODES.index(code) for code in ("mel", "mel", "mel", "nv", "nv")])
    probabilities = np.zeros((5, 7))
    probabilities[:, CODES.index("mel")] = (0.9, 0.8, 0.1, 0.05, 0.5)
    assert all(point.sensitivity == 1 for point in choose_operating_points(probabilities, class_index).values())


def test_any_malignant_adds_up_the_malignant_classes() -> None:
    logits, class_index = calibrated_logits(200)
    points = choose_operating_points(softmax(logits, axis=1), class_index)
    assert points["any_malignant"].classes == list(MALIGNANT_CODES)
    assert points["melanoma"].classes == ["mel"]


def test_validation_pictures_without_a_melanoma_are_refused() -> None:
    class_index = np.array([CODES.index("nv"), CODES.index("bcc")])
    with pytest.raises(TrainingError, match=r"melanoma cannot be chosen: .* Train on more pictures"):
        choose_operating_points(np.full((2, 7), 1 / 7), class_index)
