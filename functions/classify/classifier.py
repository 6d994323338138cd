"""The model at work: pixels in, what the graph says out."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime

from contract.bundle import INPUT_NAME, MODEL, OUTPUT_NAMES, REFERENCE, Manifest
from contract.errors import BundleError
from contract.reference import Reference

SUM_TOLERANCE = 1e-3  # of seven float32 numbers that should add up to 1


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the model says of one picture."""

    probabilities: np.ndarray  # float32 (7,), calibrated, in the order of contract.labels.CODES
    class_map: np.ndarray  # float32 (7, h, w): logits by place, over the square that the model saw
    unfamiliar_score: float  # 0 like a training picture, up to 2; held against the manifest's threshold


class Classifier:
    """One model, ready to answer."""

    def __init__(self, folder: Path, manifest: Manifest, *, threads: int) -> None:
        """Open a verified bundle.

        Raises:
            BundleError: the model or the reference cannot be opened, or they do not fit the manifest.
        """
        self.manifest = manifest
        self.input_size = manifest.input.size
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors alone
        try:
            self._session = onnxruntime.InferenceSession(folder / MODEL, options, ["CPUExecutionProvider"])
            self._reference = Reference.read(folder / REFERENCE)
            evidence = self.predict(np.zeros((self.input_size, self.input_size, 3), np.uint8))  # also fills its arenas
        except Exception as error:  # ONNX Runtime raises classes of its own that share no base with a name
            raise BundleError(f"The model {manifest.version} cannot be opened: {error}") from error
        shares = evidence.probabilities
        if shares.shape != (len(manifest.labels),) or not abs(float(shares.sum()) - 1) < SUM_TOLERANCE:  # or NaN
            raise BundleError(
                f"The model {manifest.version} does not answer with seven probabilities that add up to 1."
            )

    def predict(self, pixels: np.ndarray) -> Evidence:
        """Classify one picture.

        Args:
            pixels: RGB in 0..255: uint8, shape (input_size, input_size, 3).
        """
        probabilities, class_map, embedding = self._session.run(OUTPUT_NAMES, {INPUT_NAME: pixels[np.newaxis]})
        unfamiliar_score = float(self._reference.unfamiliarity(embedding[0], self.manifest.unfamiliar.neighbours))
        return Evidence(probabilities[0], class_map[0], unfamiliar_score)
