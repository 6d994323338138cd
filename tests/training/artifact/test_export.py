"""The export: the ONNX file has the contract's shape, and answers as the Keras model does or is thrown away."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from contract.bundle import INPUT_NAME, MODEL, MODEL_FP32, OUTPUT_NAMES
from contract.errors import TrainingError
from tests.training.conftest import TINY_SIZE, TinyRun
from training.artifact.answers import ask
from training.artifact.export import TOLERANCE, check_parity, export
from training.data.cache import open_cache
from training.data.ham10000 import read_dataset
from training.data.split import sample_lesions
from training.evaluation.calibrate import softmax
from training.fitting.batches import Pictures
from training.model import Classifier


def test_the_onnx_file_answers_as_the_keras_model_does_on_the_pictures(
    classifier: Classifier, pictures_dir: Path, tmp_path: Path
) -> None:
    dataset = sample_lesions(read_dataset(pictures_dir), 60, seed=3)
    pixels = open_cache(dataset, TINY_SIZE, tmp_path)
    export(classifier, 1.7, tmp_path / "model.onnx")

    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    answered = session.run(list(OUTPUT_NAMES), {INPUT_NAME: pixels[:24]})

    expected = [output.numpy() for output in classifier.serving(1.7)(pixels[:24])]
    assert np.ptp(expected[0], axis=0).max() > 100 * TOLERANCE  # the pictures are told apart at all
    assert check_parity(expected[0], answered[0]) < TOLERANCE
    for ours, theirs in zip(answered[1:], expected[1:], strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-3 * np.abs(theirs).max())


@pytest.mark.parametrize("file", [MODEL, MODEL_FP32])
def test_both_files_of_a_bundle_have_the_inputs_and_outputs_of_the_contract(tiny_run: TinyRun, file: str) -> None:
    session = onnxruntime.InferenceSession(tiny_run.trained.folder / file, providers=["CPUExecutionProvider"])
    (pixels,) = session.get_inputs()
    assert (pixels.name, pixels.type, pixels.shape) == (INPUT_NAME, "tensor(uint8)", ["N", 64, 64, 3])
    outputs = {output.name: (output.type, output.shape) for output in session.get_outputs()}
    assert list(outputs) == list(OUTPUT_NAMES)
    assert outputs == {
        "probabilities": ("tensor(float)", ["N", 7]),
        "class_map": ("tensor(float)", ["N", 7, 2, 2]),
        "embedding": ("tensor(float)", ["N", 2048]),
    }


@pytest.mark.parametrize("file", [MODEL, MODEL_FP32])
def test_one_picture_and_many_are_answered_alike(tiny_run: TinyRun, file: str) -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (5, TINY_SIZE, TINY_SIZE, 3), np.uint8)
    many = ask(tiny_run.trained.folder / file, Pictures(pixels, np.arange(5), np.zeros(5)), "", lambda *_: None)
    one = ask(tiny_run.trained.folder / file, Pictures(pixels, np.array([3]), np.zeros(1)), "", lambda *_: None)
    np.testing.assert_allclose(one.probabilities[0], many.probabilities[3], atol=1e-5)
    np.testing.assert_allclose(many.probabilities.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("file", [MODEL, MODEL_FP32])
def test_the_class_map_of_a_file_adds_up_to_its_probabilities(tiny_run: TinyRun, file: str) -> None:
    session = onnxruntime.InferenceSession(tiny_run.trained.folder / file, providers=["CPUExecutionProvider"])
    pixels = np.random.default_rng(4).integers(0, 256, (6, TINY_SIZE, TINY_SIZE, 3), np.uint8)
    probabilities, class_map, _ = session.run(list(OUTPUT_NAMES), {INPUT_NAME: pixels})
    logits = class_map.mean(axis=(2, 3))
    assert np.ptp(class_map, axis=(2, 3)).min() > 0  # a map that is flat would prove nothing
    np.testing.assert_allclose(softmax(logits / tiny_run.trained.manifest.temperature), probabilities, atol=1e-4)


@pytest.mark.parametrize("off", [2 * TOLERANCE, np.nan])
def test_a_file_that_answers_otherwise_is_not_trusted(off: float) -> None:
    trained = np.full((4, 7), 1 / 7)
    exported = trained.copy()
    exported[2, 3] += off
    with pytest.raises(TrainingError, match="cannot be trusted, and no bundle was written"):
        check_parity(trained, exported)
