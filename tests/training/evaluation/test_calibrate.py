"""Calibration: an honest temperature, thresholds that find what they must, and what is unfamiliar."""

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score

from contract.errors import TrainingError
from contract.labels import CODES, MALIGNANT_CODES
from training.evaluation.calibrate import (
    FALSE_ALARM_RATE,
    WANTED_SENSITIVITY,
    choose_operating_points,
    choose_prior_correction,
    choose_unfamiliar_threshold,
    correct,
    fit_temperature,
    remember,
    sample_reference,
    score,
    softmax,
    without_temperature,
)


def honest(pictures: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits whose softmax is the very chance by which the class was drawn."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 2, (pictures, 7))
    class_index = np.array([random.choice(7, p=chances) for chances in softmax(logits)])
    return logits, class_index


def negative_log_likelihood(logits: np.ndarray, class_index: np.ndarray) -> float:
    return float(-np.log(softmax(logits)[np.arange(len(logits)), class_index]).mean())


@pytest.mark.parametrize("overconfidence", [0.4, 1.0, 3.0])
def test_the_temperature_undoes_over_and_underconfidence(overconfidence: float) -> None:
    logits, class_index = honest(4000)
    shown = logits * overconfidence
    temperature = fit_temperature(shown, class_index)
    assert temperature == pytest.approx(overconfidence, rel=0.1)
    assert negative_log_likelihood(shown / temperature, class_index) <= negative_log_likelihood(shown, class_index)


def test_a_model_that_is_always_right_keeps_a_temperature_that_can_be_divided_by() -> None:
    temperature = fit_temperature(10 * np.eye(7), np.arange(7))
    assert 0 < temperature < 1


def weighted(pictures: int, power: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What a model says that has learned with weights of the classes' inverse frequencies to a power."""
    random = np.random.default_rng(3)
    log_frequencies = np.log(np.array([0.03, 0.05, 0.11, 0.01, 0.11, 0.67, 0.02]))
    logits = random.normal(0, 1.5, (pictures, 7)) + log_frequencies
    class_index = np.array([random.choice(7, p=chances) for chances in softmax(logits)])
    return logits - power * log_frequencies, class_index, log_frequencies


def test_a_prior_correction_gives_up_little_balanced_accuracy_for_much_macro_f1() -> None:
    logits, class_index, log_frequencies = weighted(6000, 1.0)
    share = choose_prior_correction(logits, class_index, np.arange(6000), log_frequencies)
    assert 0 < share < 1
    before, after = logits.argmax(axis=1), (logits + share * log_frequencies).argmax(axis=1)
    lost = balanced_accuracy_score(class_index, before) - balanced_accuracy_score(class_index, after)
    won = f1_score(class_index, after, average="macro") - f1_score(class_index, before, average="macro")
    assert won > 0.05 > lost


def test_a_model_that_is_never_wrong_is_not_corrected() -> None:
    assert choose_prior_correction(20 * np.eye(7), np.arange(7), np.arange(7), np.log(np.full(7, 1 / 7))) == 0


def test_many_pictures_of_few_lesions_correct_less_than_as_many_lesions() -> None:
    logits, class_index, log_frequencies = weighted(400, 1.0)
    copies = (np.tile(logits, (15, 1)), np.tile(class_index, 15))
    of_one_lesion, of_fifteen = (
        choose_prior_correction(*copies, lesion_id, log_frequencies)
        for lesion_id in (np.tile(np.arange(400), 15), np.arange(6000))
    )
    assert of_one_lesion == choose_prior_correction(logits, class_index, np.arange(400), log_frequencies)
    assert of_one_lesion < of_fifteen


def test_the_temperature_is_that_of_the_corrected_logits() -> None:
    logits, class_index, log_frequencies = weighted(6000, 0.5)
    correction = correct(logits * 2, class_index, np.arange(6000), log_frequencies)
    np.testing.assert_array_equal(correction.shift, correction.prior_correction * log_frequencies)
    assert correction.temperature == fit_temperature(logits * 2 + correction.shift, class_index)


@pytest.mark.parametrize("seed", range(5))
def test_operating_points_find_what_they_must_and_no_higher_threshold_would(seed: int) -> None:
    logits, class_index = honest(300, seed)
    probabilities = softmax(logits / 2)
    for name, point in choose_operating_points(probabilities, class_index).items():
        scores = score(probabilities, point.classes)
        positive = np.isin(class_index, [CODES.index(code) for code in point.classes])
        assert point.sensitivity == np.mean(scores[positive] >= point.threshold)
        assert point.specificity == np.mean(scores[~positive] < point.threshold)
        groups = [positive, class_index == CODES.index("mel")]
        wanted = [WANTED_SENSITIVITY + np.sqrt(0.9 * 0.1 / group.sum()) for group in groups]
        assert all(np.mean(scores[group] >= point.threshold) >= w for group, w in zip(groups, wanted, strict=True)), (
            name
        )
        stricter = scores[scores > point.threshold].min() + 1e-9
        assert any(np.mean(scores[group] >= stricter) < w for group, w in zip(groups, wanted, strict=True))
        assert np.abs(scores - point.threshold).min() > 0  # so no picture lies on it


def test_the_any_malignant_point_finds_melanomas_though_they_are_the_hardest() -> None:
    class_index = np.repeat([CODES.index(code) for code in ("mel", "bcc", "nv")], (40, 400, 400))
    scores = np.concatenate([np.linspace(0.2, 0.6, 40), np.linspace(0.7, 0.9, 400), np.linspace(0.0, 0.5, 400)])
    probabilities = np.zeros((840, 7))
    probabilities[:, CODES.index("bcc")], probabilities[:, CODES.index("nv")] = scores, 1 - scores
    point = choose_operating_points(probabilities, class_index)["any_malignant"]
    assert np.mean(scores[:40] >= point.threshold) == pytest.approx(0.95)
    assert point.sensitivity == pytest.approx(438 / 440)


def test_of_a_handful_of_malignant_pictures_all_are_found() -> None:
    class_index = np.array([CODES.index(code) for code in ("mel", "mel", "mel", "nv", "nv")])
    probabilities = np.zeros((5, 7))
    probabilities[:, CODES.index("mel")] = (0.9, 0.8, 0.1, 0.05, 0.5)
    assert all(point.sensitivity == 1 for point in choose_operating_points(probabilities, class_index).values())


def test_any_malignant_adds_up_the_malignant_classes() -> None:
    logits, class_index = honest(200)
    points = choose_operating_points(softmax(logits), class_index)
    assert points["any_malignant"].classes == list(MALIGNANT_CODES)
    assert points["melanoma"].classes == ["mel"]


def test_without_a_melanoma_to_choose_by_there_is_no_operating_point() -> None:
    class_index = np.array([CODES.index("nv"), CODES.index("bcc")])
    with pytest.raises(TrainingError, match=r"melanoma cannot be chosen: .* Train on more pictures"):
        choose_operating_points(np.full((2, 7), 1 / 7), class_index)


def test_the_reference_takes_every_class_before_it_takes_many_of_one() -> None:
    class_index = np.array([5] * 500 + [4] * 40 + [3] * 10)
    chosen = sample_reference(class_index, seed=1, pictures=100)
    assert np.bincount(class_index[chosen], minlength=7).tolist() == [0, 0, 0, 10, 40, 50, 0]
    assert np.array_equal(chosen, np.unique(chosen))
    assert np.array_equal(chosen, sample_reference(class_index, seed=1, pictures=100))


def test_what_is_remembered_of_few_embeddings_is_all_of_them() -> None:
    embeddings = np.random.default_rng(0).random((20, 64))
    reference = remember(embeddings)
    units = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    np.testing.assert_allclose(reference.coordinates @ reference.axes, units, atol=1e-5)


def test_of_many_embeddings_the_largest_singular_values_are_remembered() -> None:
    random = np.random.default_rng(0)
    embeddings = random.normal(size=(300, 6)) @ random.normal(size=(6, 64)) + random.normal(0, 0.01, (300, 64))
    reference = remember(embeddings, rank=6)
    assert reference.coordinates.shape == (300, 6)
    units = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    np.testing.assert_allclose(reference.coordinates @ reference.axes, units, atol=0.02)


def test_a_training_embedding_of_zeros_does_no_harm() -> None:
    embeddings = np.eye(4, 64)
    embeddings[0] = 0
    assert remember(embeddings).unfamiliarity(np.eye(1, 64, 1), 1) == pytest.approx([0], abs=1e-6)


def test_one_validation_picture_in_a_hundred_is_over_the_unfamiliar_threshold() -> None:
    scores = np.random.default_rng(0).random(1000)
    assert np.mean(scores > choose_unfamiliar_threshold(scores)) == pytest.approx(FALSE_ALARM_RATE)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
def test_the_temperature_can_be_taken_out_again(temperature: float) -> None:
    logits, _ = honest(50)
    calibrated = softmax(logits / temperature).astype(np.float32)
    np.testing.assert_allclose(without_temperature(calibrated, temperature), softmax(logits), atol=1e-4)


def test_a_probability_of_nothing_has_a_logarithm_all_the_same() -> None:
    assert np.isfinite(without_temperature(np.eye(7, dtype=np.float32), 2.0)).all()
