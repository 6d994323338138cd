"""Post-training quantization to int8, and the gate that decides whether the int8 file replaces the fp32 file.

Static quantization (Jacob et al. 2018, arXiv:1712.05877): int8 weights with one scale per output channel, and uint8
activations with scales calibrated on training pictures. `training.artifact.equalize` prepares the fp32 model first.
Activations are unsigned because the VNNI instructions of a CPU multiply these fastest.
"""

import io
import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
import onnx

from contract.bundle import INPUT_NAME
from contract.onnx_runtime import import_onnxruntime
from training.artifact.equalize import correct_biases, equalize
from training.artifact.fold import save_folded
from training.artifact.inference import ModelOutputs
from training.data.pictures import Pictures
from training.evaluation.metrics import balanced_accuracy, expected_calibration_error

CALIBRATION_PICTURES: Final = 128
CALIBRATION_BATCH: Final = 8  # pictures; all activations of a batch are in memory together

QUANTIZED: Final = ("Conv", "MaxPool", "Add", "Relu")  # operators

LARGEST_DROP: Final = 0.005  # of balanced accuracy on validation lesions
LARGEST_ECE_RISE: Final = 0.01


@dataclass(frozen=True, kw_only=True)
class Int8GateResult:
    """Which file ships, and the numbers on validation lesions that decided it."""

    ships: Literal["int8", "fp32"]
    pictures: int
    resolution: float  # how much one picture of the rarest class changes the balanced accuracy
    balanced_accuracy_fp32: float
    balanced_accuracy_int8: float | None  # None if int8 gives NaN or infinite probabilities
    ece_fp32: float
    ece_int8: float | None  # None in the same case

    @property
    def reason(self) -> str:
        """A sentence: which file ships and why, and whether there were enough pictures for a fine decision."""
        if self.balanced_accuracy_int8 is None or self.ece_int8 is None:
            return "fp32 ships: the int8 file gives probabilities that are not finite numbers."
        change, rise = self.balanced_accuracy_int8 - self.balanced_accuracy_fp32, self.ece_int8 - self.ece_fp32
        checks = {
            "balanced accuracy": _within(-change, LARGEST_DROP),
            "calibration error": _within(rise, LARGEST_ECE_RISE),
        }
        failed = [metric for metric, passed in checks.items() if not passed]
        decision = (
            f"fp32 ships, because int8 worsens the {' and the '.join(failed)} too much" if failed else "int8 ships"
        )
        sentence = (
            f"{decision}: on {self.pictures} validation pictures int8 changes the balanced accuracy by {change:+.4f} "
            f"(limit {-LARGEST_DROP:+g}) and the calibration error by {rise:+.4f} (limit {LARGEST_ECE_RISE:+g})."
        )
        if self.resolution > LARGEST_DROP:
            sentence += (
                " That is a coarse comparison: one picture of the rarest class changes the balanced accuracy by "
                f"{self.resolution:.4f}."
            )
        return sentence


def quantize(model: Path, quantized: Path, pictures: Pictures, seed: int) -> None:
    """Write the int8 version of a float32 ONNX file.

    Args:
        model: as `export` wrote it: batch normalization must be folded into the convolutions.
        quantized: path of the new file.
        pictures: training pictures; CALIBRATION_PICTURES of them calibrate the ranges of the activations.
        seed: of the choice of these pictures.
    """
    quantization = import_onnxruntime("onnxruntime.quantization")

    def feeds() -> Iterator[dict[str, np.ndarray]]:
        return iter(_CalibrationPictures(pictures, seed).get_next, None)

    prepared = onnx.load(model)
    excluded = _nodes_after_last_feature_map(prepared)
    equalize(prepared, feeds)
    correct_biases(prepared, feeds, skip=excluded)
    with _quiet_onnxruntime():
        quantization.quantize_static(
            prepared,
            quantized,
            _CalibrationPictures(pictures, seed),
            quant_format=quantization.QuantFormat.QDQ,
            op_types_to_quantize=list(QUANTIZED),
            nodes_to_exclude=excluded,
            per_channel=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            calibrate_method=quantization.CalibrationMethod.MinMax,
        )
    save_folded(onnx.load(quantized), quantized)


def apply_int8_gate(fp32: ModelOutputs, int8: ModelOutputs, truth: np.ndarray) -> Int8GateResult:
    """Decide which of two files ships, by their outputs on the validation pictures.

    Args:
        fp32: outputs of the float32 file.
        int8: outputs of the int8 file.
        truth: the class index of each picture.
    """
    _, class_sizes = np.unique(truth, return_counts=True)
    finite = bool(np.isfinite(int8.probabilities).all())
    accuracy, ece = _measure(fp32, truth)
    accuracy_int8, ece_int8 = _measure(int8, truth) if finite else (math.nan, math.nan)
    passes = _within(accuracy - accuracy_int8, LARGEST_DROP) and _within(ece_int8 - ece, LARGEST_ECE_RISE)
    return Int8GateResult(
        ships="int8" if passes else "fp32",
        pictures=len(truth),
        resolution=float(1 / (len(class_sizes) * class_sizes.min())),
        balanced_accuracy_fp32=accuracy,
        balanced_accuracy_int8=accuracy_int8 if finite else None,
        ece_fp32=ece,
        ece_int8=ece_int8 if finite else None,
    )


def _measure(outputs: ModelOutputs, truth: np.ndarray) -> tuple[float, float]:
    """Return balanced accuracy and expected calibration error."""
    probabilities = outputs.probabilities
    return balanced_accuracy(probabilities.argmax(axis=1), truth), expected_calibration_error(probabilities, truth)


def _within(worsening: float, limit: float) -> bool:
    """Return whether a metric worsens by no more than the limit; NaN fails. The slack is for rounding of floats."""
    return worsening <= limit + 1e-9


def _nodes_after_last_feature_map(model: onnx.ModelProto) -> list[str]:
    """List the nodes after the last feature map. They stay in float32, because they take almost no time."""
    pooling = next(node for node in model.graph.node if node.op_type == "GlobalAveragePool")
    computed = set(pooling.input)
    names = []
    for node in model.graph.node:  # in topological order
        if computed & set(node.input):
            names.append(node.name)
            computed |= set(node.output)
    return names


class _CalibrationPictures:
    """Batches of training pictures for the calibration; onnxruntime calls this a data reader."""

    def __init__(self, pictures: Pictures, seed: int) -> None:
        size = min(CALIBRATION_BATCH, len(pictures))  # the same for all batches: onnxruntime cannot join others
        count = min(CALIBRATION_PICTURES, len(pictures)) // size
        chosen = np.random.default_rng(seed).choice(len(pictures), count * size, replace=False)
        self._batches = iter(np.split(pictures.rows[np.sort(chosen)], count))
        self._pixels = pictures.pixels

    def get_next(self) -> dict[str, np.ndarray] | None:
        """Return the next batch as the model's input, or None at the end."""
        rows = next(self._batches, None)
        return None if rows is None else {INPUT_NAME: np.asarray(self._pixels[rows])}


@contextmanager
def _quiet_onnxruntime() -> Iterator[None]:
    """Hide the output of onnxruntime: its advice to preprocess, which it logs to the root logger, and its prints."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        root.setLevel(level)
