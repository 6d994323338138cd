"""Measure brightness, colour and sharpness of a sample of pictures, and choose examples of each class."""

from collections.abc import Callable
from typing import Final, TypeVar

import numpy as np
import pandas as pd
from PIL import Image

from contract.errors import DatasetError
from contract.exposure import LUMA
from contract.image import DecodedImage
from contract.labels import CODES
from contract.quality import median_sharpness
from training.data.decode import map_decoded
from training.data.ham10000 import Dataset
from training.progress import OnProgress, ignore_progress

MEASURED_PX: Final = 128  # side of the square that is measured
EXAMPLE_PX: Final = 160
EXAMPLES: Final = 6  # of each class

# name -> label of the axis
STATISTICS: Final = {
    "brightness": "Brightness (90th percentile of luma, 0 to 255)",
    "saturation": "Saturation (mean of HSV, %)",
    "redness": "Redness (R / (R + G + B), %)",
    "sharpness": "Sharpness (variance of Laplacian, median tile)",
}

Result = TypeVar("Result")


def sample_classes(dataset: Dataset, pictures: int, seed: int) -> Dataset:
    """Choose about `pictures` pictures, the same number of each class if it has as many."""
    random = np.random.default_rng(seed)
    available = {code: random.permutation(np.flatnonzero(dataset.rows["dx"] == code)) for code in CODES}
    chosen: list[int] = []
    for n_before, code in enumerate(sorted(available, key=lambda code: len(available[code]))):
        quota = (pictures - len(chosen)) // (len(CODES) - n_before)  # larger classes make up for smaller ones
        chosen += available[code][: max(1, quota)].tolist()
    return dataset.subset(sorted(chosen))


def measure_pictures(dataset: Dataset, on_progress: OnProgress = ignore_progress) -> pd.DataFrame:
    """Measure the centre square of each picture at 128 px: columns as in `STATISTICS`, a row for each picture.

    Raises:
        DatasetError: a picture cannot be decoded.
    """
    rows = _map_pictures(dataset, MEASURED_PX, measure, "measuring pictures", on_progress)
    return pd.DataFrame(rows)


def measure(decoded: DecodedImage) -> dict[str, float]:
    """Measure one picture, as the model sees it; its brightness as the camera made it."""
    colours = decoded.pixels.astype(np.float32)
    luma = colours @ np.array(LUMA, np.float32)
    largest, total = colours.max(axis=2), colours.sum(axis=2)
    saturation = (largest - colours.min(axis=2)) / np.maximum(largest, 1)
    redness = colours[..., 0] / np.maximum(total, 1)
    return {
        "brightness": decoded.brightness,
        "saturation": 100 * float(saturation.mean()),
        "redness": 100 * float(redness.mean()),
        "sharpness": median_sharpness(luma),
    }


def choose_examples(
    dataset: Dataset, seed: int, on_progress: OnProgress = ignore_progress
) -> dict[str, list[Image.Image]]:
    """Choose random pictures of different lesions of each class: code -> squares of EXAMPLE_PX.

    Raises:
        DatasetError: a picture cannot be decoded.
    """
    lesions = dataset.subset(np.flatnonzero(~dataset.rows["lesion_id"].duplicated()))
    random = np.random.default_rng(seed)
    chosen = {code: random.permutation(np.flatnonzero(lesions.rows["dx"] == code))[:EXAMPLES] for code in CODES}
    shown = lesions.subset(np.concatenate([chosen[code] for code in CODES]))
    squares = _map_pictures(
        shown, EXAMPLE_PX, lambda decoded: Image.fromarray(decoded.pixels), "choosing examples", on_progress
    )
    examples: dict[str, list[Image.Image]] = {code: [] for code in CODES}
    for code, square in zip(shown.rows["dx"], squares, strict=True):
        examples[code].append(square)
    return examples


def _map_pictures(
    dataset: Dataset, size: int, function: Callable[[DecodedImage], Result], step: str, on_progress: OnProgress
) -> list[Result]:
    paths = dataset.rows["path"].tolist()
    results: list[Result] = []
    for result in map_decoded(paths, size, function):
        if isinstance(result, DatasetError):
            raise result
        results.append(result)
        on_progress(step, len(results), len(paths))
    return results
