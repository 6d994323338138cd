"""The export: the ONNX file has the contract's shape and gives the Keras model's probabilities, or is refused."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from scipy.special import softmax

from contract.bundle import INPUT_NAME, MODEL, MODEL_FP32, OUTPUT_NAMES
from contract.errors import TrainingError
from contract.onnx_runtime import open_session
from tests.tiny_run import TINY_SIZE, TinyRun
from training.artifact.export import OPSET, TOLERANCE, check_parity, export
from training.artifact.inference import run_onnx
from training.data.cache import open_cache
from training.data.ham10000 import read_dataset
from training.data.pictures import Pictures
from training.data.split import sample_lesions
from training.model import Classifier


@pytest.fixture(scope="module")
def exported(classifier: Classifier, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Export the classifier with a temperature of 1.7."""
    path = tmp_path_factory.mktemp("exported") / "model.onnx"
    export(classifier, 1.7, path)
    return path


def test_the_onnx_file_gives_the_outputs_of_the_keras_model(
    classifier: Classifier, exported: Path, pictures_dir: Path, tmp_path: Path
) -> None:
    dataset = sample_lesions(read_dataset(pictures_dir), 60, seed=3)
    pixels = open_cache(dataset, TINY_SIZE, tmp_path)

    session = open_session(exported)
    outputs = session.run(list(OUTPUT_NAMES), {INPUT_NAME: pixels[:24]})

    expected = [output.numpy() for output in classifier.serving(1.7)(pixels[:24])]
    assert np.ptp(expected[0], axis=0).max() > 100 * TOLERANCE  # the pictures get different probabilities
    assert check_parity(expected[0], outputs[0]) < TOLERANCE
    for ours, theirs in zip(outputs[1:], expected[1:], strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-3 * np.abs(theirs).max())


def test_everything_is_folded_that_can_be_computed_in_advance(exported: Path) -> None:
    model = onnx.load(exported)
    kinds = Counter(node.op_type for node in model.graph.node)
    assert kinds["Conv"] == 53 + 2  # those of a ResNet50, and the head over the pooled and the unpooled features
    assert (kinds["Relu"], kinds["Add"], kinds["Transpose"]) == (
        49,
        16,
        1,
    )  # no batch normalization


def test_the_file_has_only_standard_operators(exported: Path) -> None:
    model = onnx.load(exported)
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", OPSET)]
    assert {node.domain for node in model.graph.node} == {""}


UNDER_JAX = """
import json, os, sys
from pathlib import Path
import keras, numpy as np
from contract.errors import TrainingError
from contract.onnx_runtime import open_session
from tests.training.small_classifier import small_classifier
from training.artifact.export import check_parity, export

folder = Path(sys.argv[1])
classifier = small_classifier(64)
try:
    os.environ["PYTHONPATH"] = str(folder / "broken")
    export(classifier, 1.7, folder / "none.onnx")
except TrainingError as error:
    refused = str(error)
del os.environ["PYTHONPATH"]
export(classifier, 1.7, folder / "model.onnx")
pixels = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), np.uint8)
trained = keras.ops.convert_to_numpy(classifier.serving(1.7)(pixels)[0])
session = open_session(folder / "model.onnx")
(exported,) = session.run(["probabilities"], {"pixels": pixels})
difference = check_parity(trained, exported)
spread = float(np.ptp(trained, axis=0).max())
print(json.dumps([keras.backend.backend(), difference, spread, refused, sorted(os.listdir(folder))]))
"""


@pytest.fixture(scope="module")
def under_jax(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """Return what a process under JAX reports of two exports; TensorFlow is broken in the first."""
    folder = tmp_path_factory.mktemp("jax")
    (folder / "broken").mkdir()
    (folder / "broken" / "tensorflow.py").write_text("raise ImportError('no TensorFlow today')\n")
    ours = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", UNDER_JAX, str(folder)],
        cwd=Path(__file__).parents[3],
        env=ours | {"KERAS_BACKEND": "jax", "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"},  # compiling is most of the time
        capture_output=True,
        text=True,
        check=True,
    )
    report: list[Any] = json.loads(done.stdout.splitlines()[-1])
    return report


def test_a_model_trained_under_jax_is_exported_under_tensorflow(under_jax: list[Any]) -> None:
    backend, difference, spread, _, files = under_jax
    assert backend == "jax"
    assert difference < TOLERANCE < spread / 100
    assert files == ["broken", "model.onnx"]


def test_an_export_without_tensorflow_fails_with_one_sentence(under_jax: list[Any]) -> None:
    assert "failed there: ImportError: no TensorFlow today" in under_jax[3]
    assert "Is TensorFlow installed?" in under_jax[3]


@pytest.mark.parametrize("file", [MODEL, MODEL_FP32])
def test_both_files_of_a_bundle_have_the_inputs_and_outputs_of_the_contract(tiny_run: TinyRun, file: str) -> None:
    session = open_session(tiny_run.trained.folder / file)
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
def test_a_picture_gets_the_same_outputs_alone_and_in_a_batch(tiny_run: TinyRun, file: str) -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (5, TINY_SIZE, TINY_SIZE, 3), np.uint8)
    many = run_onnx(tiny_run.trained.folder / file, Pictures(pixels, np.arange(5), np.zeros(5)), "", lambda *_: None)
    one = run_onnx(tiny_run.trained.folder / file, Pictures(pixels, np.array([3]), np.zeros(1)), "", lambda *_: None)
    np.testing.assert_allclose(one.probabilities[0], many.probabilities[3], atol=1e-5)
    np.testing.assert_allclose(many.probabilities.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("file", [MODEL, MODEL_FP32])
def test_the_class_map_of_a_file_adds_up_to_its_probabilities(tiny_run: TinyRun, file: str) -> None:
    session = open_session(tiny_run.trained.folder / file)
    pixels = np.random.default_rng(4).integers(0, 256, (6, TINY_SIZE, TINY_SIZE, 3), np.uint8)
    probabilities, class_map, _ = session.run(list(OUTPUT_NAMES), {INPUT_NAME: pixels})
    logits = class_map.mean(axis=(2, 3))
    assert np.ptp(class_map, axis=(2, 3)).min() > 0  # with a constant map the test could not fail
    np.testing.assert_allclose(
        softmax(logits / tiny_run.trained.manifest.temperature, axis=1), probabilities, atol=1e-4
    )


@pytest.mark.parametrize("off", [2 * TOLERANCE, np.nan])
def test_a_file_with_other_probabilities_is_refused(off: float) -> None:
    trained = np.full((4, 7), 1 / 7)
    exported = trained.copy()
    exported[2, 3] += off
    with pytest.raises(TrainingError, match="cannot be trusted, and no bundle was written"):
        check_parity(trained, exported)
