"""From the trained Keras model to the ONNX file, and the proof that both say the same.

The converter reads TensorFlow, whatever trained: under another backend the weights, which are neutral, go to a process
of their own, which is this file run as a program.
"""

import logging
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import keras
import numpy as np
import onnx
import onnxruntime

from contract.bundle import INPUT_NAME, OUTPUT_NAMES
from contract.errors import TrainingError
from training.model import Classifier, build_classifier

OPSET: Final = 17
TOLERANCE: Final = 1e-4  # of a probability, between Keras and ONNX Runtime in float32

_ROOT: Final = Path(__file__).parents[2]  # where `python -m training...` finds this file


def export(classifier: Classifier, temperature: float, path: Path) -> None:
    """Write the classifier, calibrated with `temperature`, as an ONNX file with the contract's input and outputs.

    Raises:
        TrainingError: Keras runs on another backend than TensorFlow, and TensorFlow's own process failed.
    """
    if keras.backend.backend() == "tensorflow":
        _export_here(classifier, temperature, path)
    else:
        _export_under_tensorflow(classifier, temperature, path)


def check_parity(trained: np.ndarray, exported: np.ndarray) -> float:
    """Compare the probabilities that the trained Keras model and the exported file give for the same pictures.

    Args:
        trained: from Keras, shape (N, 7).
        exported: from ONNX Runtime, likewise.

    Returns:
        the largest difference.

    Raises:
        TrainingError: it is over TOLERANCE, so the file is not the model that was trained.
    """
    difference = float(np.abs(exported - trained).max())
    if not difference <= TOLERANCE:  # NaN too
        raise TrainingError(
            f"The exported model differs from the trained one by {difference:.2g} in probability, and {TOLERANCE:g} is "
            "allowed: the export cannot be trusted, and no bundle was written."
        )
    return difference


def save_folded(model: onnx.ModelProto, path: Path) -> None:
    """Save what ONNX Runtime makes of a model: batch normalization folded into the kernels, nothing left to work out.

    Its basic optimizations alone are portable, so no others are saved: docs/decisions/opening.md.
    """
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(path)
    onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    folded = onnx.load(path)
    domains = [opset for opset in folded.opset_import if opset.domain == ""]  # it names all that it knows
    del folded.opset_import[:]
    folded.opset_import.extend(domains)
    onnx.checker.check_model(folded, full_check=True)
    onnx.save(folded, path)


def _export_here(classifier: Classifier, temperature: float, path: Path) -> None:
    model, kernels = _convert_without_kernels(classifier.serving(temperature), classifier.size)
    given = {value.name: value for value in model.graph.input}
    for name, kernel in kernels.items():
        model.graph.input.remove(given[name])
        model.graph.initializer.append(onnx.numpy_helper.from_array(kernel, name))
    answers = {value.name: value for value in model.graph.output}
    del model.graph.output[:]
    model.graph.output.extend(answers[name] for name in OUTPUT_NAMES)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "N"
    save_folded(model, path)


def _convert_without_kernels(serving: keras.Model, size: int) -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
    """Convert a model whose convolutions take their kernels as inputs; return it with the kernels.

    tf2onnx copies the whole graph some seventy times while it tidies it. Kernels are 99% of its bytes: with them
    inside, a ResNet50 took 28 s; without them, 3.
    """
    import tensorflow as tf
    import tf2onnx

    logging.getLogger("tf2onnx").setLevel(logging.ERROR)  # it tells of every node that it folded
    kernels = [variable for variable in serving.variables if len(variable.shape) == 4]
    names = {kernel.path: f"kernel_{number}" for number, kernel in enumerate(kernels)}

    def answer(pixels: Any, given: dict[str, Any]) -> dict[str, Any]:
        trained, fixed = (
            [given[names[variable.path]] if variable.path in names else variable.value for variable in variables]
            for variables in (serving.trainable_variables, serving.non_trainable_variables)
        )
        outputs, _ = serving.stateless_call(trained, fixed, pixels, training=False)
        return dict(zip(OUTPUT_NAMES, outputs, strict=True))  # the converter keeps these names

    signature = [
        tf.TensorSpec((None, size, size, 3), tf.uint8, name=INPUT_NAME),
        {names[kernel.path]: tf.TensorSpec(kernel.shape, name=names[kernel.path]) for kernel in kernels},
    ]
    function = tf.function(answer, autograph=False)
    model, _ = tf2onnx.convert.from_function(function, input_signature=signature, opset=OPSET)
    return model, {names[kernel.path]: kernel.numpy() for kernel in kernels}


def _export_under_tensorflow(classifier: Classifier, temperature: float, path: Path) -> None:
    with TemporaryDirectory() as scratch:
        weights = Path(scratch) / "classifier.weights.h5"
        classifier.full_model().save_weights(weights)
        arguments = [str(weights), str(classifier.size), repr(temperature), str(path.absolute())]
        done = subprocess.run(
            [sys.executable, "-m", "training.artifact.export", *arguments],
            cwd=_ROOT,
            # The backend that trained still holds the accelerators; a conversion needs none.
            env=os.environ | {"KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode != 0:
        why = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise TrainingError(
            f"The export runs under TensorFlow, whatever trained, and failed there: {why[-1]} "
            "Is TensorFlow installed? No bundle was written."
        )


def _main(weights: str, size: str, temperature: str, path: str) -> None:
    classifier = build_classifier(int(size))
    classifier.full_model().load_weights(weights)
    _export_here(classifier, float(temperature), Path(path))


if __name__ == "__main__":
    _main(*sys.argv[1:])
