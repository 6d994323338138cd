"""Ask an exported model about pictures, as serving will: what is measured is measured on the very file that ships."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime

from contract.bundle import INPUT_NAME, OUTPUT_NAMES
from training.fitting.batches import PREDICT_BATCH, Pictures
from training.progress import OnProgress


@dataclass(frozen=True, eq=False)
class Answers:
    """What the model says of some pictures, in their order."""

    probabilities: np.ndarray  # float32, shape (N, 7)
    embeddings: np.ndarray  # float32, shape (N, 2048)


def ask(model: Path, pictures: Pictures, what: str, on_progress: OnProgress) -> Answers:
    """Run an ONNX file over pictures on the CPU, and report under the name `what`."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    wanted = [OUTPUT_NAMES[0], OUTPUT_NAMES[2]]
    probabilities, embeddings = [], []
    for start in range(0, len(pictures), PREDICT_BATCH):
        pixels = pictures.batch(start, PREDICT_BATCH)
        of_batch = session.run(wanted, {INPUT_NAME: pixels})
        probabilities.append(of_batch[0])
        embeddings.append(of_batch[1])
        on_progress(what, start + len(pixels), len(pictures))
    return Answers(np.concatenate(probabilities), np.concatenate(embeddings))
