"""Quantization: the gate lets int8 through only where it costs next to nothing."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnx
import pytest

from contract.bundle import MODEL_FP32, OUTPUT_NAMES
from tests.tiny_run import TINY_SIZE, TinyRun
from training.artifact.answers import Answers, ask
from training.artifact.equalize import BIAS, _Graph, _groups
from training.artifact.quantize import _CalibrationPictures, judge, quantize
from training.fitting.batches import Pictures

TRUTH = np.arange(1400) % 7


def answers(wrong: int = 0, confidence: float = 0.95, truth: np.ndarray = TRUTH) -> Answers:
    """Answers of which the first so many are wrong, all equally sure."""
    number = np.arange(len(truth))
    probabilities = np.full((len(truth), 7), (1 - confidence) / 6)
    probabilities[number, np.where(number < wrong, (truth + 1) % 7, truth)] = confidence
    return Answers(probabilities, np.zeros((len(truth), 1)))


def test_int8_ships_when_it_answers_as_well() -> None:
    gate = judge(answers(wrong=70), answers(wrong=76), TRUTH)
    assert gate.ships == "int8"
    assert gate.reason == (
        "int8 ships: on 1400 validation pictures int8 changes the balanced accuracy by -0.0043 (allowed: -0.005) and "
        "the calibration error by +0.0043 (allowed: +0.01)."
    )


def test_half_a_point_is_allowed_and_no_more() -> None:
    assert judge(answers(wrong=70), answers(wrong=77), TRUTH).ships == "int8"
    gate = judge(answers(wrong=70), answers(wrong=78), TRUTH)
    assert gate.ships == "fp32"
    assert gate.reason.startswith("fp32 ships, since int8 costs too much balanced accuracy: on 1400 ")
    assert "by -0.0057 (allowed: -0.005)" in gate.reason


def test_fp32_ships_when_int8_is_less_honest() -> None:
    gate = judge(answers(wrong=70), answers(wrong=70, confidence=0.98), TRUTH)
    assert gate.balanced_accuracy_int8 == gate.balanced_accuracy_fp32
    assert gate.ships == "fp32"
    assert "costs too much calibration error: " in gate.reason
    assert "calibration error by +0.0300 (allowed: +0.01)" in gate.reason


def test_both_limits_are_named_when_both_are_passed() -> None:
    gate = judge(answers(wrong=70), answers(wrong=140, confidence=0.98), TRUTH)
    assert "costs too much balanced accuracy and calibration error: " in gate.reason


def test_int8_that_is_better_ships() -> None:
    assert judge(answers(wrong=140), answers(wrong=70), TRUTH).ships == "int8"


def test_fp32_ships_when_int8_gives_no_numbers() -> None:
    broken = answers()
    broken.probabilities[3] = np.nan
    gate = judge(answers(), broken, TRUTH)
    assert gate.ships == "fp32"
    assert gate.reason == "fp32 ships: int8 gives answers that are no numbers."
    json.dumps(asdict(gate), allow_nan=False)  # the report is JSON that any program reads


def test_a_verdict_on_few_pictures_says_that_it_is_coarse() -> None:
    truth = np.append(np.arange(600) % 6, [6, 6])  # two pictures of the rarest class
    gate = judge(answers(truth=truth), answers(truth=truth), truth)
    assert gate.ships == "int8"
    assert gate.reason.endswith("a single answer on the rarest class moves the balanced accuracy by 0.0714.")


def test_a_class_that_validation_lacks_is_left_out() -> None:
    truth = np.arange(60) % 3
    gate = judge(answers(truth=truth), answers(wrong=1, truth=truth), truth)
    assert gate.one_answer == pytest.approx(1 / 60)
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
    assert {opset.domain for opset in model.opset_import} == {""}  # it opens in any runtime, not in ours alone
    kinds = {initializer.name: initializer.data_type for initializer in model.graph.initializer}
    activations = {kinds[node.input[2]] for node in model.graph.node if node.op_type == "QuantizeLinear"}
    assert activations == {onnx.TensorProto.UINT8}  # what a CPU with VNNI multiplies fastest
    exact, rounded = (ask(path, pictures, "", lambda *_: None) for path in (fp32, tmp_path / "int8.onnx"))
    assert np.abs(exact.probabilities - rounded.probabilities).max() < 0.1


def test_loud_and_quiet_channels_cost_int8_nothing(tiny_run: TinyRun, tmp_path: Path) -> None:
    fp32 = tiny_run.trained.folder / MODEL_FP32
    pixels = np.random.default_rng(0).integers(0, 256, (32, TINY_SIZE, TINY_SIZE, 3), np.uint8)
    pictures = Pictures(pixels, np.arange(32), np.zeros(32, int))
    uneven = onnx.load(fp32)
    graph = _Graph(uneven)
    for number, group in enumerate(_groups(graph)):
        channels = len(graph.value(group.makers[0], BIAS))
        graph.divide(group, 10 ** np.random.default_rng(number).uniform(-1.2, 1.2, channels))
    graph.tidy()
    onnx.save(uneven, tmp_path / "uneven.onnx")

    quantize(tmp_path / "uneven.onnx", tmp_path / "int8.onnx", pictures, seed=1)

    files = (fp32, tmp_path / "uneven.onnx", tmp_path / "int8.onnx")
    embeddings = [ask(path, pictures, "", lambda *_: None).embeddings for path in files]
    of_uneven, of_int8 = (
        np.linalg.norm(other - embeddings[0]) / np.linalg.norm(embeddings[0]) for other in embeddings[1:]
    )
    assert of_uneven < 1e-4
    assert of_int8 < 0.15


@pytest.mark.parametrize(("pictures", "batches"), [(5, [5]), (8, [8]), (62, [8] * 7), (200, [8] * 16)])
def test_all_batches_of_calibration_pictures_are_of_one_size(pictures: int, batches: list[int]) -> None:
    reader = _CalibrationPictures(Pictures(np.arange(pictures), np.arange(pictures), np.zeros(pictures, int)), seed=0)
    shown = list(iter(reader.get_next, None))
    assert [len(batch["pixels"]) for batch in shown] == batches
    everything = np.concatenate([batch["pixels"] for batch in shown])
    assert len(np.unique(everything)) == sum(batches)
