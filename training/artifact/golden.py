"""Golden pictures: painted lesions in a bundle, with the probabilities that the shipped file gave when it was made.

A deployed model that gives other probabilities for them is not the model that was evaluated.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from contract.bundle import GOLDEN, INPUT_NAME, OUTPUT_NAMES
from contract.errors import BundleError
from contract.image import decode_image
from contract.labels import CODES
from contract.onnx_runtime import open_session

TOLERANCE: Final = 0.05  # of a probability: int8 rounds differently without VNNI; another model differs by more


@dataclass(frozen=True)
class GoldenPicture:
    """One painted picture, and its expected probabilities."""

    name: str
    encoded: bytes  # JPEG
    probabilities: dict[str, float]  # by code


def write_golden(folder: Path, model: Path, size: int, seed: int) -> None:
    """Paint a lesion of each class, and write the pictures and the model's probabilities into a bundle.

    Args:
        folder: of the bundle.
        model: the ONNX file that serves.
        size: of its input, in pixels.
        seed: of the paintings.
    """
    from training.data.synthetic.dataset import paint_lesion

    (folder / GOLDEN).parent.mkdir()
    session = open_session(model)
    expected = {}
    for number, code in enumerate(CODES):
        (encoded,) = paint_lesion(code, 1, np.random.default_rng([seed, number]))
        name = f"{code}.jpg"
        (folder / GOLDEN).with_name(name).write_bytes(encoded)
        pixels = decode_image(encoded, size).pixels[np.newaxis]
        (probabilities,) = session.run([OUTPUT_NAMES[0]], {INPUT_NAME: pixels})
        expected[name] = dict(zip(CODES, map(float, probabilities[0]), strict=True))
    (folder / GOLDEN).write_text(json.dumps(expected, indent=2) + "\n")


def read_golden(folder: Path) -> list[GoldenPicture]:
    """Read the golden pictures of a bundle; an empty list for an older bundle without them.

    Raises:
        BundleError: the file of probabilities is not as `write_golden` writes it.
    """
    if not (folder / GOLDEN).exists():
        return []
    try:
        expected = json.loads((folder / GOLDEN).read_text())
        return [
            GoldenPicture(
                name=name,
                encoded=(folder / GOLDEN).with_name(Path(name).name).read_bytes(),
                probabilities={code: float(probabilities[code]) for code in CODES},
            )
            for name, probabilities in expected.items()
        ]
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise BundleError(f"The model bundle's {GOLDEN} cannot be read. Publish the model again.") from error


def difference(picture: GoldenPicture, probabilities: Mapping[str, float]) -> float:
    """Return the largest difference between the expected and the given probabilities, by class code."""
    return max(abs(expected - probabilities.get(code, 0.0)) for code, expected in picture.probabilities.items())
