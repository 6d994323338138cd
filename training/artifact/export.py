"""From the trained Keras model to the ONNX file, and the proof that both say the same."""

import logging
from pathlib import Path
from typing import Final

import keras
import numpy as np
import onnx

from contract.bundle import INPUT_NAME
from contract.errors import TrainingError
from training.model import Classifier

OPSET: Final = 17
TOLERANCE: Final = 1e-4  # of a probability, between Keras and ONNX Runtime in float32


def export(classifier: Classifier, temperature: float, path: Path) -> None:
    """Write the classifier, calibrated with `temperature`, as an ONNX file with the contract's input and outputs.

    Raises:
        TrainingError: Keras runs on another backend than TensorFlow, which the converter reads.
    """
    if keras.backend.backend() != "tensorflow":
        raise TrainingError("The export needs Keras on TensorFlow: unset KERAS_BACKEND and train again.")
    import tensorflow as tf
    import tf2onnx

    logging.getLogger("tf2onnx").setLevel(logging.ERROR)  # it tells of every node that it folded
    # Keras's own export names the outputs Identity:0 and so on; with an explicit signature they keep their names.
    signature = (tf.TensorSpec((None, classifier.size, classifier.size, 3), tf.uint8, name=INPUT_NAME),)
    model, _ = tf2onnx.convert.from_keras(classifier.serving(temperature), input_signature=signature, opset=OPSET)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "N"
    onnx.save(model, path)


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
