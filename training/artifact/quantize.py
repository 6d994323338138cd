"""A smaller and faster int8 model, and the gate that it must pass to ship in place of the float32 one.

Static quantization after training (Jacob et al. 2018, arXiv:1712.05877): int8 weights with a scale for each output
channel, uint8 activations with scales measured on training pictures. Unsigned activations are what a CPU's VNNI
instructions multiply fastest.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
import onnx

from contract.bundle import INPUT_NAME
from training.artifact.answers import Answers
from training.evaluation.measure import balanced_accuracy, expected_calibration_error
from training.fitting.batches import Pictures

CALIBRATION_PICTURES: Final = 128
CALIBRATION_BATCH: Final = 16

QUANTIZED: Final = ("Conv", "MaxPool", "Add", "Relu")

LARGEST_DROP: Final = 0.005  # of balanced accuracy on validation lesions
LARGEST_ECE_RISE: Final = 0.01


@dataclass(frozen=True, kw_only=True)
class Gate:
    """Which file ships, and the numbers, on validation lesions, that decided it."""

    ships: Literal["int8", "fp32"]
    balanced_accuracy_fp32: float
    balanced_accuracy_int8: float
    ece_fp32: float
    ece_int8: float

    @property
    def reason(self) -> str:
        """Say it in one sentence."""
        return (
            f"{self.ships} ships: on validation lesions int8 changes the balanced accuracy by "
            f"{self.balanced_accuracy_int8 - self.balanced_accuracy_fp32:+.4f} (allowed: {-LARGEST_DROP:g}) and the "
            f"calibration error by {self.ece_int8 - self.ece_fp32:+.4f} (allowed: {LARGEST_ECE_RISE:+g})."
        )


def quantize(model: Path, quantized: Path, pictures: Pictures, seed: int) -> None:
    """Write the int8 version of a float32 ONNX file.

    Args:
        model: with the contract's input and outputs.
        quantized: where to write.
        pictures: training pictures; the ranges of the activations are measured on CALIBRATION_PICTURES of them.
        seed: of their choice.
    """
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    prepared = quantized.with_suffix(".prepared.onnx")
    with _quiet_root_logger():  # it advises on the preprocessing that was just done
        try:
            quant_pre_process(model, prepared, skip_symbolic_shape=True)  # folds the last batch normalizations
            quantize_static(
                prepared,
                quantized,
                _CalibrationPictures(pictures, seed),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=list(QUANTIZED),
                nodes_to_exclude=_after_the_last_feature_map(onnx.load(prepared)),
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                calibrate_method=CalibrationMethod.MinMax,
            )
        finally:
            prepared.unlink(missing_ok=True)


def judge(fp32: Answers, int8: Answers, truth: np.ndarray) -> Gate:
    """Decide which of two files ships, by what they say of the validation pictures."""
    accuracy = [balanced_accuracy(answers.probabilities.argmax(axis=1), truth) for answers in (fp32, int8)]
    ece = [expected_calibration_error(answers.probabilities, truth) for answers in (fp32, int8)]
    passes = accuracy[0] - accuracy[1] <= LARGEST_DROP and ece[1] - ece[0] <= LARGEST_ECE_RISE
    return Gate(
        ships="int8" if passes else "fp32",
        balanced_accuracy_fp32=accuracy[0],
        balanced_accuracy_int8=accuracy[1],
        ece_fp32=ece[0],
        ece_int8=ece[1],
    )


def _after_the_last_feature_map(model: onnx.ModelProto) -> list[str]:
    """Name the nodes that make the outputs of the last feature map: they stay exact, for they cost next to nothing."""
    pooling = next(node for node in model.graph.node if node.op_type == "GlobalAveragePool")
    made = set(pooling.input)
    names = []
    for node in model.graph.node:  # in topological order
        if made & set(node.input):
            names.append(node.name)
            made |= set(node.output)
    return names


class _CalibrationPictures:
    """Feeds batches of training pictures to the calibration till the end; onnxruntime calls it a data reader."""

    def __init__(self, pictures: Pictures, seed: int) -> None:
        count = min(CALIBRATION_PICTURES, len(pictures))
        chosen = np.random.default_rng(seed).choice(len(pictures), count, replace=False)
        self._batches = iter(np.array_split(pictures.rows[np.sort(chosen)], -(-count // CALIBRATION_BATCH)))
        self._pixels = pictures.pixels

    def get_next(self) -> dict[str, np.ndarray] | None:
        """Return the next batch as the model's input."""
        rows = next(self._batches, None)
        return None if rows is None else {INPUT_NAME: np.asarray(self._pixels[rows])}


@contextmanager
def _quiet_root_logger() -> Iterator[None]:
    """Keep what onnxruntime logs to the root logger to itself."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(level)
