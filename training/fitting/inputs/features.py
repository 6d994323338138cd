"""Frozen features: the output of the frozen stages for all pictures, computed once and kept on disk."""

import hashlib
import os
import shutil
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import filelock
import keras
import numpy as np

from contract.errors import TrainingError
from training.config import TrainFrom
from training.data.pictures import Pictures
from training.file_lock import locked_folder
from training.fitting.inputs.augmentation.views import PhotographicChanges, exact_view
from training.fitting.inputs.batches import PREDICT_BATCH, Examples
from training.fitting.resuming.stop import StopRequest
from training.model import Classifier
from training.progress import OnProgress

_HASH_BATCH: Final = 256  # pictures


def features_folder(
    classifier: Classifier,
    boundary: TrainFrom,
    views: int,
    train: Pictures,
    validation: Pictures,
    scratch: Path,
    changes: PhotographicChanges | None = None,
) -> Path:
    """Name the folder in `scratch` for the features below `boundary`, by a hash of the weights and the pictures.

    If views are changed, the changes count too.
    """
    digest = hashlib.sha256(f"{classifier.size} {classifier.precision} {views}".encode())
    if changes:
        digest.update(changes.identity.encode())
    for weight in classifier.below(boundary).get_weights():
        digest.update(weight.tobytes())
    for pictures in (train, validation):
        digest.update(f" {len(pictures)} ".encode())
        for start in range(0, len(pictures), _HASH_BATCH):
            digest.update(pictures.batch(start, _HASH_BATCH).tobytes())
    return scratch / f"features-{boundary}-{digest.hexdigest()[:16]}"


@dataclass(frozen=True, eq=False)
class FeatureCache:
    """Frozen features in a folder, for every run with the same frozen stages and pictures."""

    below: keras.Model  # the frozen stages
    folder: Path
    on_progress: OnProgress
    stop: StopRequest  # checked after each batch
    changes: PhotographicChanges | None = None  # made in every view but the first

    def examples(self, train: Pictures, validation: Pictures, views: int) -> tuple[Examples, Examples]:
        """Run the frozen stages over all pictures, unless an earlier run already did so.

        If two processes need the features at the same time, one computes them and the other waits.

        Returns:
            the training pictures in all their views, and the validation pictures in one.

        Raises:
            TrainingError: the files do not fit on the disk.
            RunInterruptedError: a stop was requested. The features computed so far are kept.
        """
        with locked_folder(self.folder, wait=True):
            training_views = self.compute_once(train, views, "training")
            validation_views = self.compute_once(validation, 1, "validation")
        return (
            Examples(training_views, np.arange(len(train)), train.class_index),
            Examples(validation_views, np.arange(len(validation)), validation.class_index),
        )

    def compute_once(self, pictures: Pictures, views: int, name: str) -> list[np.ndarray]:
        """Run the frozen stages over every picture, once for each of its views, into files of float16.

        Continues from the files of an interrupted run. They are written with write(), which raises an OSError on a full
        disk. A memory map would end the process with SIGBUS there.

        Returns:
            an array for each view, mapped from the folder. Row i belongs to row i of `pictures`.

        Raises:
            TrainingError: the files do not fit on the disk.
            RunInterruptedError: a stop was requested. The features computed so far are kept.
        """
        finished = [self.folder / f"{name}-{view}.npy" for view in range(views)]
        if not all(path.is_file() for path in finished):
            unfinished = [path.with_suffix(".partial") for path in finished]
            self._compute(pictures, unfinished, name)
            for partial, path in zip(unfinished, finished, strict=True):
                partial.replace(path)
        return [np.lib.format.open_memmap(path, mode="r") for path in finished]

    def _compute(self, pictures: Pictures, paths: Sequence[Path], name: str) -> None:
        shape = self.below.output_shape[1:]
        row_bytes = 2 * int(np.prod(shape))
        needed = len(paths) * len(pictures) * row_bytes - sum(path.stat().st_size for path in paths if path.exists())
        if needed > (free := shutil.disk_usage(self.folder).free):
            raise TrainingError(
                f"The frozen features need {needed / 1e9:.1f} GB more and {self.folder} has {free / 1e9:.1f} GB free: "
                "free some space, name another cache folder, or use fewer pictures or views."
            )
        with ExitStack() as opened:
            files = [opened.enter_context(path.open("ab+")) for path in paths]
            done = _keep_finished(files, (len(pictures), *shape), row_bytes)
            for start in range(done, len(pictures), PREDICT_BATCH):
                if self.stop.requested:
                    raise self.stop.error(
                        "the frozen features computed so far are kept. The same command continues with them."
                    )
                pixels = pictures.batch(start, PREDICT_BATCH)
                for view, file in enumerate(files):
                    seen = exact_view(pixels, view)
                    if view and self.changes:
                        seen = self.changes.apply(seen, view, start, predict)
                    file.write(predict(self.below, seen).astype(np.float16).tobytes())
                for file in files:
                    file.flush()
                    os.fsync(file.fileno())  # so that a loss of power can damage the last block only
                self.on_progress(f"computing frozen features ({name})", start + len(pixels), len(pictures))


def remove_features(folders: Iterable[Path]) -> None:
    """Remove features, except those that a process is computing. A process that has opened them can still read them."""
    for folder in folders:
        if not folder.is_dir():
            continue
        try:
            with locked_folder(folder, wait=False):
                shutil.rmtree(folder)
        except (filelock.Timeout, FileNotFoundError):
            continue


def _keep_finished(files: Sequence[BinaryIO], shape: tuple[int, ...], row_bytes: int) -> int:
    """Start each file, or cut the file of an earlier run after its last complete block.

    A file is the header of an .npy and then rows. The last block may be incomplete, so it is always computed again.

    Returns:
        how many rows the files have.
    """
    headers = []
    for file in files:
        file.seek(0)
        try:
            known = np.lib.format.read_magic(file) and np.lib.format.read_array_header_1_0(file)[0] == shape
        except ValueError:  # the file is empty, or ends within the header
            known = False
        if not known:
            file.truncate(0)
            np.lib.format.write_array_header_1_0(file, {"descr": "<f2", "fortran_order": False, "shape": shape})
            file.flush()
        headers.append(file.tell())
    sizes = [os.fstat(file.fileno()).st_size for file in files]
    rows = min((size - header) // row_bytes for size, header in zip(sizes, headers, strict=True))
    kept = max(0, rows // PREDICT_BATCH - 1) * PREDICT_BATCH
    for file, header in zip(files, headers, strict=True):
        file.truncate(header + kept * row_bytes)
    return kept


def predict(model: keras.Model, batch: np.ndarray) -> Any:
    """Run a model on one batch.

    A shorter batch is padded to PREDICT_BATCH, because Keras compiles the model again for each new length.
    """
    missing = PREDICT_BATCH - len(batch)
    if missing > 0:
        batch = np.concatenate([batch, np.zeros((missing, *batch.shape[1:]), batch.dtype)])
    return model.predict_on_batch(batch)[: len(batch) - max(missing, 0)]
