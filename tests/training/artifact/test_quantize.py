"""Quantization: the gate ships int8 only if it is about as good as fp32."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnx
import pytest

from contract.bundle import MODEL_FP32, OUTPUT_NAMES
from tests.tiny_run import TINY_SIZE, TinyRun
from training.artifact.equalize import BIAS, _Graph, _groups
from training.artifact.inference import ModelOutputs, run_onnx
from training.artifact.quantize import _CalibrationPictures, apply_int8_gate, quantize
from training.data.pictures import Pictures

TRUTH = np.arange(1400) % 7


def outputs(wrong: int = 0, confidence: float = 0.95, truth: np.ndarray = TRUTH) -> ModelOutputs:
    """Outputs of which the first `wrong` predictions are wrong, all with the same confidence."""
    number = np.arange(len(truth))
    probabilities = np.full((len(truth), 7), (1 - confidence) / 6)
    probabilities[number, np.where(number < wrong, (truth + 1) % 7, truth)] = confidence
    return ModelOutputs(probabilities, np.zeros((len(truth), 1)))


def test_int8_ships_if_it_is_as_good() -> None:
    gate = apply_int8_gate(outputs(wrong=70), outputs(wrong=76), TRUTH)
    assert gate.ships == "int8"
    assert gate.reason == (
        "int8 ships: on 1400 validation pictures int8 changes the balanced accuracy by -0.0043 (limit -0.005) and the "
        "calibration error by +0.0043 (limit +0.01)."
    )


def test_the_balanced_accuracy_may_drop_by_0_005_and_no_more() -> None:
    assert apply_int8_gate(outputs(wrong=70), outputs(wrong=77), TRUTH).ships == "int8"
    gate = apply_int8_gate(outputs(wrong=70), outputs(wrong=78), TRUTH)
    assert gate.ships == "fp32"
    assert gate.reason.startswith("fp32 ships, because int8 worsens the balanced accuracy too much: on 1400 ")
    assert "by -0.0057 (limit -0.005)" in gate.reason


def test_fp32_ships_if_int8_is_worse_calibrated() -> None:
    gate = apply_int8_gate(outputs(wrong=70), outputs(wrong=70, confidence=0.98), TRUTH)
    assert gate.balanced_accuracy_int8 == gate.balanced_accuracy_fp32
    assert gate.ships == "fp32"
    assert "worsens the calibration error too much: " in gate.reason
    assert "calibration error by +0.0300 (limit +0.01)" in gate.reason


def test_both_metrics_are_named_if_both_are_over_the_limit() -> None:
    gate = apply_int8_gate(outputs(wrong=70), outputs(wrong=140, confidence=0.98), TRUTH)
    assert "worsens the balanced accuracy and the calibration error too much: " in gate.reason


def test_int8_that_is_better_ships() -> None:
    assert apply_int8_gate(outputs(wrong=140), outputs(wrong=70), TRUTH).ships == "int8"


def test_fp32_ships_if_int8_gives_nan() -> None:
    broken = outputs()
    broken.probabilities[3] = np.nan
    gate = apply_int8_gate(outputs(), broken, TRUTH)
    assert gate.ships == "fp32"
    assert gate.reason == "fp32 ships: the int8 file gives probabilities that are not finite numbers."
    json.dumps(asdict(gate), allow_nan=False)  # the report is JSON that any program reads


def test_a_decision_on_few_pictures_says_that_it_is_coarse() -> None:
    truth = np.append(np.arange(600) % 6, [6, 6])  # two pictures of the rarest class
    gate = apply_int8_gate(outputs(truth=truth), outputs(truth=truth), truth)
    assert gate.ships == "int8"
    assert gate.reason.endswith("one picture of the rarest class changes the balanced accuracy by 0.0714.")


def test_a_class_without_validation_pictures_is_left_out() -> None:
    truth = np.arange(60) % 3
    gate = apply_int8_gate(outputs(truth=truth), outputs(wrong=1, truth=truth), truth)
    assert gate.resolution == pytest.approx(1 / 60)
    assert gate.ships == "fp32"


def test_the_quantized_model_is_a_quarter_of_the_size_and_keeps_its_outputs(tiny_run: TinyRun, tmp_path: Path) -> None:
    fp32 = tiny_run.trained.folder / MODEL_FP32
    pixels = np.random.default_rng(0).integers(0, 256, (20, TINY_SIZE, TINY_SIZE, 3), np.uint8)
    pictures = Pictures(pixels, np.arange(20), np.zeros(20, int))

    quantize(fp32, tmp_path / "int8.onnx", pictures, seed=1)

    assert [path.name for path in tmp_path.iterdir()] == ["int8.onnx"]
    assert (tmp_path / "int8.onnx").stat().st_size < 0.3 * fp32.stat().st_size
    model = onnx.load(tmp_path / "int8.onnx")
    assert [output.name for output in model.graph.output] == list(OUTPUT_NAMES)
    assert {opset.domain for opset in model.opset_import} == {""}  # any ONNX runtime can open it
    kinds = {initializer.name: initializer.data_type for initializer in model.graph.initializer}
    activations = {kinds[node.input[2]] for node in model.graph.node if node.op_type == "QuantizeLinear"}
    assert activations == {onnx.TensorProto.UINT8}  # what a CPU with VNNI multiplies fastest
    exact, rounded = (run_onnx(path, pictures, "", lambda *_: None) for path in (fp32, tmp_path / "int8.onnx"))
    assert np.abs(exact.probabilities - rounded.probabilities).max() < 0.1


def test_channels_of_very_different_range_do_not_hurt_int8(tiny_run: TinyRun, tmp_path: Path) -> None:
    fp32 = tiny_run.trained.folder / MODEL_FP32
    pixels = np.random.default_rng(0).integers(0, 256, (32, TINY_SIZE, TINY_SIZE, 3), np.uint8)
    pictures = Pictures(pixels, np.arange(32), np.zeros(32, int))
    uneven = onnx.load(fp32)
    graph = _Graph(uneven)
    for number, group in enumerate(_groups(graph)):
        channels = len(graph.value(group.writers[0], BIAS))
        graph.divide(group, 10 ** np.random.default_rng(number).uniform(-1.2, 1.2, channels))
    graph.drop_unused_constants()
    onnx.save(uneven, tmp_path / "uneven.onnx")

    quantize(tmp_path / "uneven.onnx", tmp_path / "int8.onnx", pictures, seed=1)

    files = (fp32, tmp_path / "uneven.onnx", tmp_path / "int8.onnx")
    embeddings = [run_onnx(path, pictures, "", lambda *_: None).embeddings for path in files]
    error_of_uneven, error_of_int8 = (
        np.linalg.norm(other - embeddings[0]) / np.linalg.norm(embeddings[0]) for other in embeddings[1:]
    )
    assert error_of_uneven < 1e-4
    assert error_of_int8 < 0.15


@pytest.mark.parametrize(("pictures", "batches"), [(5, [5]), (8, [8]), (62, [8] * 7), (200, [8] * 16)])
def test_all_batches_of_calibration_pictures_are_of_one_size(pictures: int, batches: list[int]) -> None:
    reader = _CalibrationPictures(Pictures(np.arange(pictures), np.arange(pictures), np.zeros(pictures, int)), seed=0)
    shown = list(iter(reader.get_next, None))
    assert [len(batch["pixels"]) for batch in shown] == batches
    everything = np.concatenate([batch["pixels"] for batch in shown])
    assert len(np.unique(everything)) == sum(batches)
