"""Golden pictures: painted lesions that travel with a model, and what the file that serves said of them at first.

A version that answers them otherwise, wherever it runs, is not the model that was measured.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime

from contract.bundle import GOLDEN, INPUT_NAME, OUTPUT_NAMES
from contract.errors import BundleError
from contract.image import decode_image
from contract.labels import CODES

TOLERANCE: Final = 0.05  # of a probability: int8 on a processor without VNNI rounds otherwise, other models differ more


@dataclass(frozen=True)
class GoldenPicture:
    """One painted picture, and what it was answered with."""

    name: str
    encoded: bytes  # JPEG
    probabilities: dict[str, float]  # by code


def write_golden(folder: Path, model: Path, size: int, seed: int) -> None:
    """Paint a lesion of each class, and write it and the model's answer into a bundle.

    Args:
        folder: of the bundle.
        model: the ONNX file that serves.
        size: pixels that it takes.
        seed: of what is painted.
    """
    from training.data.synthetic.dataset import paint_lesion

    (folder / GOLDEN).parent.mkdir()
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    answers = {}
    for number, code in enumerate(CODES):
        (encoded,) = paint_lesion(code, 1, np.random.default_rng([seed, number]))
        name = f"{code}.jpg"
        (folder / GOLDEN).with_name(name).write_bytes(encoded)
        pixels = decode_image(encoded, size).pixels[np.newaxis]
        (probabilities,) = session.run([OUTPUT_NAMES[0]], {INPUT_NAME: pixels})
        answers[name] = dict(zip(CODES, map(float, probabilities[0]), strict=True))
    (folder / GOLDEN).write_text(json.dumps(answers, indent=2) + "\n")


def read_golden(folder: Path) -> list[GoldenPicture]:
    """Read the golden pictures of a bundle: none, if it is one that has none.

    Raises:
        BundleError: the file of the answers is not as `write_golden` writes it.
    """
    if not (folder / GOLDEN).exists():
        return []
    try:
        answers = json.loads((folder / GOLDEN).read_text())
        return [
            GoldenPicture(
                name=name,
                encoded=(folder / GOLDEN).with_name(Path(name).name).read_bytes(),
                probabilities={code: float(probabilities[code]) for code in CODES},
            )
            for name, probabilities in answers.items()
        ]
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise BundleError(f"The model bundle's {GOLDEN} cannot be read. Publish the model again.") from error


def difference(picture: GoldenPicture, answered: Mapping[str, float]) -> float:
    """Tell by how much the probability that differs most does."""
    return max(abs(expected - answered.get(code, 0.0)) for code, expected in picture.probabilities.items())
