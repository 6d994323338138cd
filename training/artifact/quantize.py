"""A smaller and faster int8 model, and the gate that it must pass to ship in place of the float32 one.

Static quantization after training (Jacob et al. 2018, arXiv:1712.05877): int8 weights with a scale for each output
channel, uint8 activations with scales measured on training pictures, after channels are equalized and biases corrected
(`training.artifact.equalize`). Unsigned activations are what a CPU's VNNI instructions multiply fastest.
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
from training.artifact.answers import Answers
from training.artifact.equalize import correct_biases, equalize
from training.artifact.export import save_folded
from training.evaluation.measure import balanced_accuracy, expected_calibration_error
from training.fitting.batches import Pictures

CALIBRATION_PICTURES: Final = 128
CALIBRATION_BATCH: Final = 8  # what the network computes of them is held in memory at once

QUANTIZED: Final = ("Conv", "MaxPool", "Add", "Relu")

LARGEST_DROP: Final = 0.005  # of balanced accuracy on validation lesions
LARGEST_ECE_RISE: Final = 0.01


@dataclass(frozen=True, kw_only=True)
class Gate:
    """Which file ships, and the numbers, on validation lesions, that decided it."""

    ships: Literal["int8", "fp32"]
    pictures: int
    one_answer: float  # what a single answer, on a picture of the rarest class, moves the balanced accuracy by
    balanced_accuracy_fp32: float
    balanced_accuracy_int8: float | None  # None if int8 gave answers that are no numbers
    ece_fp32: float
    ece_int8: float | None  # likewise

    @property
    def reason(self) -> str:
        """Say which file ships and why, and whether there was enough to judge by."""
        if self.balanced_accuracy_int8 is None or self.ece_int8 is None:
            return "fp32 ships: int8 gives answers that are no numbers."
        drop, rise = self.balanced_accuracy_fp32 - self.balanced_accuracy_int8, self.ece_int8 - self.ece_fp32
        over = [
            what
            for what, within in (
                ("balanced accuracy", _within(drop, LARGEST_DROP)),
                ("calibration error", _within(rise, LARGEST_ECE_RISE)),
            )
            if not within
        ]
        verdict = f"fp32 ships, since int8 costs too much {' and '.join(over)}" if over else "int8 ships"
        few = (
            f" The verdict is a coarse one: a single answer on the rarest class moves the balanced accuracy by "
            f"{self.one_answer:.4f}."
        )
        return (
            f"{verdict}: on {self.pictures} validation pictures int8 changes the balanced accuracy by {-drop:+.4f} "
            f"(allowed: {-LARGEST_DROP:g}) and the calibration error by {rise:+.4f} (allowed: {LARGEST_ECE_RISE:+g})."
            f"{few if self.one_answer > LARGEST_DROP else ''}"
        )


def quantize(model: Path, quantized: Path, pictures: Pictures, seed: int) -> None:
    """Write the int8 version of a float32 ONNX file.

    Args:
        model: as `export` wrote it: batch normalization must be folded into the convolutions.
        quantized: where to write.
        pictures: training pictures; what the activations come to is measured on CALIBRATION_PICTURES of them.
        seed: of their choice.
    """
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    def feeds() -> Iterator[dict[str, np.ndarray]]:
        return iter(_CalibrationPictures(pictures, seed).get_next, None)

    ready = onnx.load(model)
    exact = _after_the_last_feature_map(ready)
    equalize(ready, feeds)
    correct_biases(ready, feeds, skip=exact)
    with _quiet_onnxruntime():
        quantize_static(
            ready,
            quantized,
            _CalibrationPictures(pictures, seed),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(QUANTIZED),
            nodes_to_exclude=exact,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )
    save_folded(onnx.load(quantized), quantized)


def judge(fp32: Answers, int8: Answers, truth: np.ndarray) -> Gate:
    """Decide which of two files ships, by what they say of the validation pictures."""
    _, of_class = np.unique(truth, return_counts=True)
    usable = bool(np.isfinite(int8.probabilities).all())
    accuracy, ece = _measure(fp32, truth)
    accuracy_int8, ece_int8 = _measure(int8, truth) if usable else (math.nan, math.nan)
    passes = _within(accuracy - accuracy_int8, LARGEST_DROP) and _within(ece_int8 - ece, LARGEST_ECE_RISE)
    return Gate(
        ships="int8" if passes else "fp32",
        pictures=len(truth),
        one_answer=float(1 / (len(of_class) * of_class.min())),
        balanced_accuracy_fp32=accuracy,
        balanced_accuracy_int8=accuracy_int8 if usable else None,
        ece_fp32=ece,
        ece_int8=ece_int8 if usable else None,
    )


def _measure(answers: Answers, truth: np.ndarray) -> tuple[float, float]:
    """Balanced accuracy and expected calibration error."""
    probabilities = answers.probabilities
    return balanced_accuracy(probabilities.argmax(axis=1), truth), expected_calibration_error(probabilities, truth)


def _within(change: float, allowed: float) -> bool:
    """Tell whether a change is at most what is allowed; NaN is not. Differences of floats need some slack."""
    return change <= allowed + 1e-9


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
        size = min(CALIBRATION_BATCH, len(pictures))  # of every batch: onnxruntime cannot join others
        count = min(CALIBRATION_PICTURES, len(pictures)) // size
        chosen = np.random.default_rng(seed).choice(len(pictures), count * size, replace=False)
        self._batches = iter(np.split(pictures.rows[np.sort(chosen)], count))
        self._pixels = pictures.pixels

    def get_next(self) -> dict[str, np.ndarray] | None:
        """Return the next batch as the model's input."""
        rows = next(self._batches, None)
        return None if rows is None else {INPUT_NAME: np.asarray(self._pixels[rows])}


@contextmanager
def _quiet_onnxruntime() -> Iterator[None]:
    """Keep to itself what onnxruntime logs to the root logger, an advice to preprocess, and what it prints."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        root.setLevel(level)
