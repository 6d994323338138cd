"""The network: all its models give the same numbers, and the class map averages to the logits."""

import re

import keras
import numpy as np
import pytest

from tests.training.small_classifier import small_classifier
from training.config import TrainFrom
from training.model import Classifier, Preprocessing, build_classifier

pytestmark = pytest.mark.filterwarnings(
    r"ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
)


@pytest.fixture(scope="module")
def pixels(classifier: Classifier) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (3, classifier.size, classifier.size, 3), np.uint8)


@pytest.fixture(scope="module")
def logits(classifier: Classifier, pixels: np.ndarray) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(classifier.full_model()(pixels)))


def test_the_preprocessing_is_that_of_the_imagenet_weights_to_the_last_bit(pixels: np.ndarray) -> None:
    expected = keras.applications.resnet50.preprocess_input(pixels.astype(np.float32))
    assert np.array_equal(keras.ops.convert_to_numpy(Preprocessing()(pixels)), expected)


def test_the_mean_of_the_class_map_is_the_logits_before_the_temperature(
    classifier: Classifier, pixels: np.ndarray, logits: np.ndarray
) -> None:
    _, class_map, _ = classifier.serving(temperature=3.0)(pixels)
    assert class_map.shape == (3, 7, 2, 2)
    assert np.ptp(class_map, axis=(2, 3)).min() > 1e-3  # a constant map would prove nothing
    np.testing.assert_allclose(np.mean(class_map, axis=(2, 3)), logits, atol=1e-4)


def test_the_probabilities_are_the_softmax_of_the_logits_over_the_temperature(
    classifier: Classifier, pixels: np.ndarray, logits: np.ndarray
) -> None:
    probabilities, _, embedding = classifier.serving(temperature=3.0)(pixels)
    powers = np.exp(logits / 3.0)
    np.testing.assert_allclose(probabilities, powers / powers.sum(axis=1, keepdims=True), atol=1e-6)
    assert embedding.shape == (3, 2048)


def test_shifted_logits_are_in_all_outputs_of_the_served_model(pixels: np.ndarray) -> None:
    classifier, shift = small_classifier(64), np.arange(7.0)
    before = np.asarray(classifier.full_model()(pixels))
    classifier.shift_logits(shift)
    np.testing.assert_allclose(classifier.full_model()(pixels), before + shift, atol=1e-5)
    _, class_map, _ = classifier.serving(temperature=3.0)(pixels)
    np.testing.assert_allclose(np.mean(class_map, axis=(2, 3)), before + shift, atol=1e-4)


@pytest.mark.parametrize("boundary", ["conv2", "conv4", "conv4_block4", "conv5", "head"])
def test_the_models_below_and_above_a_boundary_together_are_the_full_model(
    classifier: Classifier, pixels: np.ndarray, logits: np.ndarray, boundary: TrainFrom
) -> None:
    logits_in_two_steps = classifier.above(boundary)(classifier.below(boundary)(pixels))
    np.testing.assert_allclose(logits_in_two_steps, logits, atol=1e-4)


def test_training_above_a_boundary_changes_the_served_model(
    classifier: Classifier, pixels: np.ndarray, logits: np.ndarray
) -> None:
    last = classifier.above("conv5").get_layer("head")
    before = last.get_weights()
    last.set_weights([before[0], before[1] + np.arange(7)])
    try:
        _, class_map, _ = classifier.serving(temperature=1.0)(pixels)
    finally:
        last.set_weights(before)
    np.testing.assert_allclose(np.mean(class_map, axis=(2, 3)), logits + np.arange(7), atol=1e-4)


@pytest.mark.parametrize(
    ("boundary", "frozen", "trainable"),
    [
        ("all", set(), {"conv1", "conv4_block3", "conv5_block3"}),
        ("conv4_block4", {"conv1", "conv3_block4", "conv4_block3"}, {"conv4_block4", "conv4_block6", "conv5_block1"}),
        ("conv5", {"conv1", "conv4_block6"}, {"conv5_block1", "conv5_block3"}),
    ],
)
def test_only_the_layers_below_the_boundary_are_frozen(
    classifier: Classifier, boundary: TrainFrom, frozen: set[str], trainable: set[str]
) -> None:
    classifier.freeze_below(boundary)
    weighted = [layer for layer in classifier.backbone.layers if layer.weights]
    blocks = {
        state: {re.sub(r"(_\d)?_(conv|bn)$", "", layer.name) for layer in weighted if layer.trainable == state}
        for state in (True, False)
    }
    classifier.freeze_below("all")
    assert frozen <= blocks[False]
    assert trainable <= blocks[True]
    assert not blocks[False] & blocks[True]


def test_a_network_that_computes_in_bfloat16_serves_in_float32(
    classifier: Classifier, pixels: np.ndarray, logits: np.ndarray
) -> None:
    mixed = build_classifier(classifier.size, "mixed_bfloat16")
    assert {weight.dtype for weight in mixed.backbone.weights} == {"float32"}
    mixed.backbone.set_weights(classifier.backbone.get_weights())
    mixed.head.set_weights(classifier.head.get_weights())
    seen = mixed.full_model()(pixels)
    assert keras.backend.standardize_dtype(seen.dtype) == "float32"
    assert 1e-5 < np.abs(keras.ops.convert_to_numpy(seen) - logits).max() < 0.1 * np.abs(logits).max()

    served = mixed.in_float32()
    assert (mixed.precision, served.precision) == ("mixed_bfloat16", "float32")
    expected = classifier.serving(temperature=2.0)(pixels)
    for given, wanted in zip(served.serving(temperature=2.0)(pixels), expected, strict=True):
        np.testing.assert_allclose(given, wanted, atol=1e-6)
    assert keras.config.dtype_policy().name == "float32"
