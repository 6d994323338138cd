"""Labelled pictures as the batches that Keras asks for: from pixels, or from what frozen stages make of them."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np

from contract.errors import TrainingError
from contract.labels import CODES
from training.fitting.augment import exact_views

OnProgress = Callable[[str, int, int], None]  # what is being done, how many are done, of how many

PREDICT_BATCH: Final = 64  # pictures


@dataclass(frozen=True, eq=False)
class Pictures:
    """Some rows of the pixel cache, and what they show."""

    pixels: np.ndarray  # RGB in 0..255: uint8, shape (all pictures, size, size, 3); usually mapped from disk
    rows: np.ndarray  # positions in `pixels`
    class_index: np.ndarray  # of each row

    def __len__(self) -> int:
        return len(self.rows)

    def batch(self, start: int, length: int) -> np.ndarray:
        """Read the pixels of consecutive rows: uint8, shape (up to length, size, size, 3)."""
        return np.asarray(self.pixels[self.rows[start : start + length]])


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """What `fit` and `evaluate` take: batches of (inputs, one-hot classes, loss weights).

    Shuffled anew for each epoch if given a generator, and then the last, smaller batch is left out, for batch
    normalization cannot learn from one picture; in order and whole otherwise.
    """

    def __init__(
        self,
        views: Sequence[np.ndarray],
        rows: np.ndarray,
        class_index: np.ndarray,
        batch_size: int,
        class_weights: np.ndarray | None = None,
        random: np.random.Generator | None = None,
    ) -> None:
        """Serve `views[any][rows]`: where a picture has several views, a shuffled epoch takes one of them at random."""
        super().__init__()
        self._views, self._rows, self._class_index = views, rows, class_index
        self._batch_size = min(batch_size, len(rows))
        self._class_weights = np.ones(len(CODES)) if class_weights is None else class_weights
        self._random = random
        self._order = np.arange(len(rows))
        self._view = np.zeros(len(rows), int)
        self.on_epoch_end()

    def __len__(self) -> int:
        whole, rest = divmod(len(self._rows), self._batch_size)
        return whole if self._random or not rest else whole + 1

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        chosen = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        inputs = np.stack([self._views[self._view[i]][self._rows[i]] for i in chosen])
        classes = self._class_index[chosen]
        if inputs.dtype == np.float16:
            inputs = inputs.astype(np.float32)
        return inputs, np.eye(len(CODES), dtype=np.float32)[classes], self._class_weights[classes].astype(np.float32)

    def on_epoch_end(self) -> None:
        """Shuffle, if this is shuffled at all."""
        if self._random:
            self._order = self._random.permutation(len(self._rows))
            self._view = self._random.integers(len(self._views), size=len(self._rows))


def class_weights(class_index: np.ndarray, power: float) -> np.ndarray:
    """Weigh each class's loss by its inverse frequency to `power`, so that the mean over the pictures is one.

    Returns:
        shape (7,); a class without pictures has weight 0.
    """
    counts = np.bincount(class_index, minlength=len(CODES)).astype(float)
    weights = np.where(counts > 0, np.maximum(counts, 1) ** -power, 0.0)
    return np.asarray(weights * counts.sum() / (weights * counts).sum())


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
