"""Ways to make rare classes count, each compared with numbers computed by hand."""

import keras
import numpy as np
import pytest

from training.config import ClassBalance, TrainingConfig
from training.fitting.imbalance import build_loss, class_weights, draw_pictures, log_frequencies, loss_weights

CLASS_INDEX = np.array([5] * 60 + [4] * 30 + [0] * 10)  # of training pictures


def loss_of(balance: ClassBalance, truth: np.ndarray, logits: np.ndarray, **changes: float) -> float:
    config = TrainingConfig(class_balance=balance, label_smoothing=0.0, **changes)  # type: ignore[arg-type]
    return float(keras.ops.convert_to_numpy(build_loss(config, CLASS_INDEX)(truth[None], logits[None])))


def test_class_weights_leave_the_mean_loss_as_it_is_and_skip_absent_classes() -> None:
    weights = class_weights(CLASS_INDEX, power=1.0)
    assert weights[CLASS_INDEX].mean() == pytest.approx(1)
    assert weights[0] == pytest.approx(6 * weights[5])
    assert weights[1] == 0


def test_without_balance_every_class_has_the_same_weight() -> None:
    assert class_weights(np.array([5, 5, 5, 0]), power=0.0)[[0, 5]] == pytest.approx([1, 1])


@pytest.mark.parametrize(
    ("balance", "rare_over_frequent"),
    [("weights", 6), ("focal", 6), ("sampling", 1), ("logit_adjusted", 1), ("none", 1)],
)
def test_only_weights_and_the_focal_loss_use_class_weights(balance: ClassBalance, rare_over_frequent: float) -> None:
    weights = loss_weights(TrainingConfig(class_balance=balance), CLASS_INDEX)
    assert weights[0] / weights[5] == pytest.approx(rare_over_frequent)


def test_the_focal_loss_is_the_cross_entropy_times_one_minus_the_probability_to_the_power_of_gamma() -> None:
    truth, logits = np.eye(7)[4], np.log(np.array([0.1, 0.1, 0.1, 0.1, 0.4, 0.1, 0.1]))
    assert loss_of("none", truth, logits) == pytest.approx(-np.log(0.4), rel=1e-5)
    assert loss_of("focal", truth, logits) == pytest.approx(-np.log(0.4) * 0.6**2, rel=1e-5)
    assert loss_of("focal", truth, logits, focal_gamma=0.5) == pytest.approx(-np.log(0.4) * 0.6**0.5, rel=1e-5)


def test_logit_adjustment_is_the_cross_entropy_of_probabilities_times_frequencies() -> None:
    truth, probabilities = np.eye(7)[0], np.array([0.4, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1])
    frequencies = np.array([0.1, 0.01, 0.01, 0.01, 0.3, 0.6, 0.01])  # an absent class counts as having one picture
    adjusted = probabilities * frequencies  # the softmax ignores a common factor
    expected = -np.log(adjusted[0] / adjusted.sum())
    assert loss_of("logit_adjusted", truth, np.log(probabilities)) == pytest.approx(expected, rel=1e-5)
    assert loss_of("logit_adjusted", truth, np.log(probabilities), logit_adjustment=0.0) == pytest.approx(-np.log(0.4))


def test_logit_adjustment_learns_logits_without_the_frequencies() -> None:
    """For pictures without information, adjusted logits are best when equal, and plain ones at the frequencies."""
    frequencies = log_frequencies(CLASS_INDEX)
    truth = np.eye(7)[CLASS_INDEX]
    cases: tuple[tuple[ClassBalance, np.ndarray], ...] = (("none", frequencies), ("logit_adjusted", np.zeros(7)))
    for balance, best in cases:
        loss = build_loss(TrainingConfig(class_balance=balance, label_smoothing=0.0), CLASS_INDEX)
        at_best, elsewhere = (
            float(keras.ops.convert_to_numpy(loss(truth, np.broadcast_to(logits, truth.shape))))
            for logits in (best, best + np.array([0.3, 0, 0, 0, 0, -0.3, 0]))
        )
        assert at_best < elsewhere


def test_balanced_sampling_draws_each_class_and_each_picture_of_a_class_equally_often() -> None:
    drawn = draw_pictures(CLASS_INDEX, 1.0, np.random.default_rng(0))
    assert len(drawn) == len(CLASS_INDEX)
    times = np.bincount(drawn, minlength=len(CLASS_INDEX))
    assert np.bincount(CLASS_INDEX[drawn], minlength=7).tolist() in ([33, 0, 0, 0, 33, 34, 0], [34, 0, 0, 0, 33, 33, 0])
    for index in (0, 4, 5):
        times_of_class = times[index == CLASS_INDEX]
        assert times_of_class.max() - times_of_class.min() <= 1


def test_sampling_with_power_0_draws_every_picture_once_in_random_order() -> None:
    drawn = draw_pictures(CLASS_INDEX, 0.0, np.random.default_rng(0))
    assert sorted(drawn) == list(range(100))
    assert drawn.tolist() != list(range(100))


def test_sampling_with_power_one_half_draws_by_the_root_of_the_frequency() -> None:
    class_index = np.array([5] * 90 + [4] * 10)
    drawn = draw_pictures(class_index, 0.5, np.random.default_rng(0))
    assert np.bincount(class_index[drawn])[[4, 5]].tolist() == [25, 75]
