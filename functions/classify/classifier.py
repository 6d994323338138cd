"""Runs the model: pixels in, probabilities, class map and unfamiliarity score out."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from contract.bundle import INPUT_NAME, MODEL, OUTPUT_NAMES, REFERENCE, Manifest
from contract.errors import BundleError
from contract.onnx_runtime import open_session
from contract.reference import Reference

SUM_TOLERANCE = 1e-3  # of the sum of seven float32 probabilities, which should be 1


@dataclass(frozen=True, eq=False)
class ModelOutput:
    """The output of the model for one picture."""

    probabilities: np.ndarray  # float32 (7,), calibrated, in the order of contract.labels.CODES
    class_map: np.ndarray  # float32 (7, h, w): logits by position, over the square that the model sees
    unfamiliar_score: float  # 0 (like a training picture) to 2; compared with the manifest's threshold


class Classifier:
    """One loaded model."""

    def __init__(self, folder: Path, manifest: Manifest, *, threads: int) -> None:
        """Open a verified bundle.

        Raises:
            BundleError: the model or the reference cannot be opened, or does not fit the manifest.
        """
        self.manifest = manifest
        self.input_size = manifest.input.size
        try:
            self._session = open_session(
                folder / MODEL,
                intra_op_num_threads=threads,
                inter_op_num_threads=1,
                log_severity_level=3,  # only errors
            )
            self._reference = Reference.read(folder / REFERENCE)
            output = self.predict(np.zeros((self.input_size, self.input_size, 3), np.uint8))  # also allocates memory
        except Exception as error:  # the exception classes of ONNX Runtime have no public base class
            raise BundleError(f"The model {manifest.version} cannot be opened: {error}") from error
        probabilities = output.probabilities
        sums_to_one = abs(float(probabilities.sum()) - 1) < SUM_TOLERANCE  # False for NaN
        if probabilities.shape != (len(manifest.labels),) or not sums_to_one:
            raise BundleError(
                f"The model {manifest.version} does not answer with seven probabilities that add up to 1."
            )

    def predict(self, pixels: np.ndarray) -> ModelOutput:
        """Classify one picture.

        Args:
            pixels: RGB in 0..255: uint8, shape (input_size, input_size, 3).
        """
        probabilities, class_map, embedding = self._session.run(OUTPUT_NAMES, {INPUT_NAME: pixels[np.newaxis]})
        unfamiliar_score = float(self._reference.unfamiliarity(embedding[0], self.manifest.unfamiliar.neighbours))
        return ModelOutput(probabilities[0], class_map[0], unfamiliar_score)
