"""The logit adjustment: a prior correction and a temperature that give calibrated probabilities."""

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import balanced_accuracy_score, f1_score

from tests.training.evaluation.calibration.calibrated_logits import calibrated_logits
from training.evaluation.calibration.logit_adjustment import (
    HIGHEST_TEMPERATURE,
    LOWEST_TEMPERATURE,
    choose_prior_correction,
    fit_logit_adjustment,
    fit_temperature,
    remove_temperature,
)


def negative_log_likelihood(logits: np.ndarray, class_index: np.ndarray) -> float:
    return float(-np.log(softmax(logits, axis=1)[np.arange(len(logits)), class_index]).mean())


@pytest.mark.parametrize("overconfidence", [0.4, 1.0, 3.0])
def test_the_temperature_undoes_over_and_underconfidence(overconfidence: float) -> None:
    logits, class_index = calibrated_logits(4000)
    scaled = logits * overconfidence
    temperature = fit_temperature(scaled, class_index)
    assert temperature == pytest.approx(overconfidence, rel=0.1)
    assert negative_log_likelihood(scaled / temperature, class_index) <= negative_log_likelihood(scaled, class_index)


def bisected_temperature(logits: np.ndarray, class_index: np.ndarray) -> float:
    """Find the temperature by bisection of the slope, without SciPy's root finder."""
    true_logit = logits[np.arange(len(logits)), class_index]
    low, high = 1 / HIGHEST_TEMPERATURE, 1 / LOWEST_TEMPERATURE
    for _ in range(60):
        middle = (low * high) ** 0.5
        slope = float(np.mean((softmax(logits * middle, axis=1) * logits).sum(axis=1) - true_logit))
        low, high = (low, middle) if slope > 0 else (middle, high)
    return float(1 / np.sqrt(low * high))


@pytest.mark.parametrize("scale", [0.01, 0.3, 1.0, 4.0, 100.0])
@pytest.mark.parametrize("seed", range(3))
def test_the_temperature_is_the_root_that_bisection_finds(scale: float, seed: int) -> None:
    logits, class_index = calibrated_logits(400, seed)
    temperature = fit_temperature(logits * scale, class_index)
    assert temperature == pytest.approx(bisected_temperature(logits * scale, class_index), rel=1e-9)


def test_the_temperature_stays_within_its_bounds() -> None:
    always_right, always_wrong = np.arange(7), (np.arange(7) + 1) % 7
    assert fit_temperature(10 * np.eye(7), always_right) == LOWEST_TEMPERATURE
    assert fit_temperature(10 * np.eye(7), always_wrong) == HIGHEST_TEMPERATURE


def logits_of_balanced_training(pictures: int, power: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw logits of a model trained with the inverse class frequencies, to a power, as class weights."""
    random = np.random.default_rng(3)
    log_frequencies = np.log(np.array([0.03, 0.05, 0.11, 0.01, 0.11, 0.67, 0.02]))
    logits = random.normal(0, 1.5, (pictures, 7)) + log_frequencies
    class_index = np.array([random.choice(7, p=probabilities) for probabilities in softmax(logits, axis=1)])
    return logits - power * log_frequencies, class_index, log_frequencies


def test_a_prior_correction_loses_little_balanced_accuracy_and_gains_much_macro_f1() -> None:
    logits, class_index, log_frequencies = logits_of_balanced_training(6000, 1.0)
    share = choose_prior_correction(logits, class_index, np.arange(6000), log_frequencies)
    assert 0 < share < 1
    before, after = logits.argmax(axis=1), (logits + share * log_frequencies).argmax(axis=1)
    loss = balanced_accuracy_score(class_index, before) - balanced_accuracy_score(class_index, after)
    gain = f1_score(class_index, after, average="macro") - f1_score(class_index, before, average="macro")
    assert gain > 0.05 > loss


def test_a_model_without_errors_is_not_corrected() -> None:
    assert choose_prior_correction(20 * np.eye(7), np.arange(7), np.arange(7), np.log(np.full(7, 1 / 7))) == 0


def test_repeated_pictures_of_few_lesions_give_a_smaller_correction_than_many_lesions() -> None:
    logits, class_index, log_frequencies = logits_of_balanced_training(400, 1.0)
    copies = (np.tile(logits, (15, 1)), np.tile(class_index, 15))
    few_lesions, many_lesions = (
        choose_prior_correction(*copies, lesion_id, log_frequencies)
        for lesion_id in (np.tile(np.arange(400), 15), np.arange(6000))
    )
    assert few_lesions == choose_prior_correction(logits, class_index, np.arange(400), log_frequencies)
    assert few_lesions < many_lesions


def test_the_temperature_is_fitted_to_the_corrected_logits() -> None:
    logits, class_index, log_frequencies = logits_of_balanced_training(6000, 0.5)
    adjustment = fit_logit_adjustment(logits * 2, class_index, np.arange(6000), log_frequencies)
    np.testing.assert_array_equal(adjustment.shift, adjustment.prior_correction * log_frequencies)
    assert adjustment.temperature == fit_temperature(logits * 2 + adjustment.shift, class_index)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
def test_the_temperature_can_be_removed(temperature: float) -> None:
    logits, _ = calibrated_logits(50)
    calibrated = softmax(logits / temperature, axis=1).astype(np.float32)
    np.testing.assert_allclose(remove_temperature(calibrated, temperature), softmax(logits, axis=1), atol=1e-4)


def test_removing_the_temperature_accepts_a_probability_of_zero() -> None:
    assert np.isfinite(remove_temperature(np.eye(7, dtype=np.float32), 2.0)).all()
