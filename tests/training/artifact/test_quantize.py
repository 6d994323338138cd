"""Quantization: the gate lets int8 through only where it costs next to nothing."""

from pathlib import Path

import numpy as np
import onnx

from contract.bundle import MODEL_FP32, OUTPUT_NAMES
from tests.training.conftest import TINY_SIZE, TinyRun
from training.artifact.answers import Answers, ask
from training.artifact.quantize import judge, quantize
from training.fitting.batches import Pictures

TRUTH = np.arange(700) % 7


def answers(wrong: int = 0, confidence: float = 0.95) -> Answers:
    """Answers of which the first so many are wrong, all equally sure."""
    said = np.where(np.arange(700) < wrong, (TRUTH + 1) % 7, TRUTH)
    probabilities = np.full((700, 7), (1 - confidence) / 6)
    probabilities[np.arange(700), said] = confidence
    return Answers(probabilities, np.zeros((700, 1)))


def test_int8_ships_when_it_answers_as_well() -> None:
    gate = judge(answers(wrong=35), answers(wrong=38), TRUTH)
    assert gate.ships == "int8"
    assert gate.reason.startswith("int8 ships: on validation lesions int8 changes the balanced accuracy by -0.0043")


def test_fp32_ships_when_int8_answers_worse() -> None:
    gate = judge(answers(wrong=35), answers(wrong=40), TRUTH)
    assert gate.ships == "fp32"
    assert "by -0.0071 (allowed: -0.005)" in gate.reason


def test_fp32_ships_when_int8_is_less_honest() -> None:
    gate = judge(answers(wrong=35), answers(wrong=35, confidence=0.98), TRUTH)
    assert gate.balanced_accuracy_int8 == gate.balanced_accuracy_fp32
    assert gate.ships == "fp32"
    assert "calibration error by +0.0300 (allowed: +0.01)" in gate.reason


def test_int8_that_is_better_ships() -> None:
    assert judge(answers(wrong=70), answers(wrong=35), TRUTH).ships == "int8"


def test_the_quantized_model_is_a_quarter_of_the_size_and_keeps_its_outputs(tiny_run: TinyRun, tmp_path: Path) -> None:
    fp32 = tiny_run.trained.folder / MODEL_FP32
    pixels = np.random.default_rng(0).integers(0, 256, (20, TINY_SIZE, TINY_SIZE, 3), np.uint8)
    pictures = Pictures(pixels, np.arange(20), np.zeros(20, int))

    quantize(fp32, tmp_path / "int8.onnx", pictures, seed=1)

    assert [path.name for path in tmp_path.iterdir()] == ["int8.onnx"]
    assert (tmp_path / "int8.onnx").stat().st_size < 0.3 * fp32.stat().st_size
    model = onnx.load(tmp_path / "int8.onnx")
    assert [output.name for output in model.graph.output] == list(OUTPUT_NAMES)
    kinds = {initializer.name: initializer.data_type for initializer in model.graph.initializer}
    activations = {kinds[node.input[2]] for node in model.graph.node if node.op_type == "QuantizeLinear"}
    assert activations == {onnx.TensorProto.UINT8}  # what a CPU with VNNI multiplies fastest
    exact, rounded = (ask(path, pictures, "", lambda *_: None) for path in (fp32, tmp_path / "int8.onnx"))
    assert np.abs(exact.probabilities - rounded.probabilities).max() < 0.1
