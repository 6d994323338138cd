"""Export the trained Keras model to an ONNX file, and check that both give the same probabilities.

The converter needs TensorFlow. Under another Keras backend the weights, which are the same for all backends, go to a
separate process that runs this file as a program under TensorFlow.
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

from contract.bundle import INPUT_NAME, OUTPUT_NAMES
from contract.errors import TrainingError
from contract.onnx_runtime import disable_telemetry
from training.artifact.fold import save_folded
from training.model import Classifier, build_classifier

OPSET: Final = 17
TOLERANCE: Final = 1e-4  # of a probability, Keras against ONNX Runtime in float32

_ROOT: Final = Path(__file__).parents[2]  # where `python -m training...` finds this file


def export(classifier: Classifier, temperature: float, path: Path) -> None:
    """Write the classifier, calibrated with `temperature`, as an ONNX file with the contract's input and outputs.

    Raises:
        TrainingError: Keras runs on another backend than TensorFlow, and the separate process failed.
    """
    if keras.backend.backend() == "tensorflow":
        _export_here(classifier, temperature, path)
    else:
        _export_under_tensorflow(classifier, temperature, path)


def check_parity(trained: np.ndarray, exported: np.ndarray) -> float:
    """Compare the probabilities of the trained Keras model and of the exported file for the same pictures.

    Args:
        trained: from Keras, shape (N, 7).
        exported: from ONNX Runtime, shape (N, 7).

    Returns:
        the largest difference.

    Raises:
        TrainingError: it is over TOLERANCE, so the file is not the trained model.
    """
    difference = float(np.abs(exported - trained).max())
    if not difference <= TOLERANCE:  # NaN too
        raise TrainingError(
            f"A probability of the exported model differs from the trained model by {difference:.2g}; the limit is "
            f"{TOLERANCE:g}. The export cannot be trusted, and no bundle was written."
        )
    return difference


def _export_here(classifier: Classifier, temperature: float, path: Path) -> None:
    model, kernels = _convert_without_kernels(classifier.serving(temperature), classifier.size)
    inputs = {value.name: value for value in model.graph.input}
    for name, kernel in kernels.items():
        model.graph.input.remove(inputs[name])
        model.graph.initializer.append(onnx.numpy_helper.from_array(kernel, name))
    outputs = {value.name: value for value in model.graph.output}
    del model.graph.output[:]
    model.graph.output.extend(outputs[name] for name in OUTPUT_NAMES)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "N"
    save_folded(model, path)


def _convert_without_kernels(serving: keras.Model, size: int) -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
    """Convert the model with its convolution kernels as inputs; return the ONNX model and the kernels.

    tf2onnx copies the graph about seventy times while it optimizes it. The kernels are 99% of its bytes: with them
    inside, converting a ResNet50 took 28 s; without them, 3 s.
    """
    import tensorflow as tf
    import tf2onnx

    logging.getLogger("tf2onnx").setLevel(logging.ERROR)  # it logs every node that it folds
    kernels = [variable for variable in serving.variables if len(variable.shape) == 4]
    names = {kernel.path: f"kernel_{number}" for number, kernel in enumerate(kernels)}

    def run(pixels: Any, kernel_inputs: dict[str, Any]) -> dict[str, Any]:
        trainable, non_trainable = (
            [
                kernel_inputs[names[variable.path]] if variable.path in names else variable.value
                for variable in variables
            ]
            for variables in (serving.trainable_variables, serving.non_trainable_variables)
        )
        outputs, _ = serving.stateless_call(trainable, non_trainable, pixels, training=False)
        return dict(zip(OUTPUT_NAMES, outputs, strict=True))  # the converter keeps these names

    signature = [
        tf.TensorSpec((None, size, size, 3), tf.uint8, name=INPUT_NAME),
        {names[kernel.path]: tf.TensorSpec(kernel.shape, name=names[kernel.path]) for kernel in kernels},
    ]
    function = tf.function(run, autograph=False)
    disable_telemetry()  # tf2onnx imports ONNX Runtime for some graphs
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
            # The training backend still holds the GPUs, and the conversion needs none.
            env=os.environ | {"KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise TrainingError(
            f"The export always runs under TensorFlow, and it failed there: {lines[-1]} "
            "Is TensorFlow installed? No bundle was written."
        )


def _main(weights: str, size: str, temperature: str, path: str) -> None:
    classifier = build_classifier(int(size))
    classifier.full_model().load_weights(weights)
    _export_here(classifier, float(temperature), Path(path))


if __name__ == "__main__":
    _main(*sys.argv[1:])
