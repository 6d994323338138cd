"""What the pictures look like, class by class: brightness, colour and sharpness of a sample, and examples."""

from collections.abc import Callable
from typing import Final, TypeVar

import numpy as np
import pandas as pd
from PIL import Image

from contract.errors import DatasetError
from contract.image import DecodedImage
from contract.labels import CODES
from contract.quality import laplacian_variance
from training.data.decode import map_decoded
from training.data.ham10000 import Dataset
from training.progress import OnProgress

MEASURED_PX: Final = 128  # side of the square that is measured
EXAMPLE_PX: Final = 160
EXAMPLES: Final = 6  # of each class

# name -> what is shown beside it
STATISTICS: Final = {
    "brightness": "Brightness (mean luma, 0 to 255)",
    "saturation": "Saturation (mean of HSV, %)",
    "redness": "Redness (R / (R + G + B), %)",
    "sharpness": "Sharpness (variance of Laplacian)",
}

Made = TypeVar("Made")


def sample_classes(dataset: Dataset, pictures: int, seed: int) -> Dataset:
    """Choose about `pictures` of them, as evenly over the classes as these allow, so that rare ones can be measured."""
    random = np.random.default_rng(seed)
    waiting = {code: random.permutation(np.flatnonzero(dataset.rows["dx"] == code)) for code in CODES}
    chosen: list[int] = []
    for left, code in enumerate(sorted(waiting, key=lambda code: len(waiting[code]))):
        quota = (pictures - len(chosen)) // (len(CODES) - left)  # what smaller classes could not fill
        chosen += waiting[code][: max(1, quota)].tolist()
    return dataset.subset(sorted(chosen))


def measure_pictures(dataset: Dataset, on_progress: OnProgress | None = None) -> pd.DataFrame:
    """Measure each picture's centre square at 128 px: the columns of `STATISTICS`, a row for each row of the dataset.

    Raises:
        DatasetError: a picture cannot be decoded.
    """
    return pd.DataFrame(
        _over(dataset, MEASURED_PX, lambda decoded: measure(decoded.pixels), "measuring pictures", on_progress)
    )


def measure(pixels: np.ndarray) -> dict[str, float]:
    """Measure one picture: RGB, uint8, shape (size, size, 3)."""
    colours = pixels.astype(np.float32)
    luma = colours @ np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601
    most, total = colours.max(axis=2), colours.sum(axis=2)
    saturation = (most - colours.min(axis=2)) / np.maximum(most, 1)
    redness = colours[..., 0] / np.maximum(total, 1)
    return {
        "brightness": float(luma.mean()),
        "saturation": 100 * float(saturation.mean()),
        "redness": 100 * float(redness.mean()),
        "sharpness": laplacian_variance(luma),
    }


def choose_examples(dataset: Dataset, seed: int, on_progress: OnProgress | None = None) -> dict[str, list[Image.Image]]:
    """Choose pictures of different lesions of each class at random: code -> squares of EXAMPLE_PX.

    Raises:
        DatasetError: a picture cannot be decoded.
    """
    lesions = dataset.subset(np.flatnonzero(~dataset.rows["lesion_id"].duplicated()))
    random = np.random.default_rng(seed)
    chosen = {code: random.permutation(np.flatnonzero(lesions.rows["dx"] == code))[:EXAMPLES] for code in CODES}
    shown = lesions.subset(np.concatenate([chosen[code] for code in CODES]))
    squares = _over(
        shown, EXAMPLE_PX, lambda decoded: Image.fromarray(decoded.pixels), "choosing examples", on_progress
    )
    examples: dict[str, list[Image.Image]] = {code: [] for code in CODES}
    for code, square in zip(shown.rows["dx"], squares, strict=True):
        examples[code].append(square)
    return examples


def _over(
    dataset: Dataset, size: int, make: Callable[[DecodedImage], Made], what: str, on_progress: OnProgress | None
) -> list[Made]:
    paths = dataset.rows["path"].tolist()
    made: list[Made] = []
    for found in map_decoded(paths, size, make):
        if isinstance(found, DatasetError):
            raise found
        made.append(found)
        if on_progress:
            on_progress(what, len(made), len(paths))
    return made
