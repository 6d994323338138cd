"""What frozen stages make of the pictures: computed once, and kept on disk while epochs go over it."""

import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np

from contract.errors import TrainingError
from training.fitting.augment import exact_views
from training.fitting.batches import PREDICT_BATCH, OnProgress, Pictures


def compute_once(
    below: keras.Model, pictures: Pictures, views: int, folder: Path, name: str, on_progress: OnProgress
) -> list[np.ndarray]:
    """Run frozen stages over every picture, once for each of its views, into files of float16.

    Returns:
        an array for each view, mapped from `folder`; row i belongs to row i of `pictures`.

    Raises:
        TrainingError: the files do not fit on the disk.
    """
    shape = (len(pictures), *below.output_shape[1:])
    needed = views * int(np.prod(shape)) * 2  # bytes
    if needed > (free := shutil.disk_usage(folder).free):
        raise TrainingError(
            f"The frozen features need {needed / 1e9:.1f} GB and {folder} has {free / 1e9:.1f} GB free: free some "
            "space, name another cache folder, or take fewer pictures or views."
        )
    features = [
        np.lib.format.open_memmap(folder / f"{name}-{view}.npy", "w+", np.float16, shape) for view in range(views)
    ]
    for start in range(0, len(pictures), PREDICT_BATCH):
        pixels = pictures.batch(start, PREDICT_BATCH)
        for into, view in zip(features, exact_views(pixels, views), strict=True):
            into[start : start + len(pixels)] = predict(below, view)
        on_progress(f"computing frozen features ({name})", start + len(pixels), len(pictures))
    return list(features)


def predict(model: keras.Model, batch: np.ndarray) -> Any:
    """Run a model on one batch; all batches but the last of a set should have the same length.

    A shorter batch is filled up, so that the model is not compiled anew for its length.
    """
    missing = PREDICT_BATCH - len(batch)
    if missing > 0:
        batch = np.concatenate([batch, np.zeros((missing, *batch.shape[1:]), batch.dtype)])
    return model.predict_on_batch(batch)[: len(batch) - max(missing, 0)]
