"""Run an exported ONNX file over pictures, as serving does, so that every result is that of the shipped file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from contract.bundle import INPUT_NAME, OUTPUT_NAMES
from contract.onnx_runtime import open_session
from training.data.pictures import Pictures
from training.progress import OnProgress

BATCH: Final = 64  # pictures


@dataclass(frozen=True, eq=False)
class ModelOutputs:
    """The outputs of a model for some pictures, in their order."""

    probabilities: np.ndarray  # float32, shape (N, 7)
    embeddings: np.ndarray  # float32, shape (N, 2048)


def run_onnx(model: Path, pictures: Pictures, step: str, on_progress: OnProgress) -> ModelOutputs:
    """Run an ONNX file over pictures on the CPU, and report progress as `step`."""
    session = open_session(model)
    names = [OUTPUT_NAMES[0], OUTPUT_NAMES[2]]
    probabilities, embeddings = [], []
    for start in range(0, len(pictures), BATCH):
        pixels = pictures.batch(start, BATCH)
        outputs = session.run(names, {INPUT_NAME: pixels})
        probabilities.append(outputs[0])
        embeddings.append(outputs[1])
        on_progress(step, start + len(pixels), len(pictures))
    return ModelOutputs(np.concatenate(probabilities), np.concatenate(embeddings))
