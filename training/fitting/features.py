"""What frozen stages make of the pictures: computed once, and kept on disk while epochs and runs go over it."""

import hashlib
import os
import shutil
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO, Final

import keras
import numpy as np

from contract.errors import TrainingError
from training.config import TrainFrom
from training.data.pictures import Pictures
from training.fitting.augment import exact_views
from training.fitting.batches import PREDICT_BATCH, Examples
from training.fitting.resuming.lock import alone_in
from training.fitting.resuming.stop import StopRequest
from training.model import Classifier
from training.progress import OnProgress

_HASHED_AT_ONCE: Final = 256  # pictures


def features_folder(
    classifier: Classifier, boundary: TrainFrom, views: int, train: Pictures, validation: Pictures, within: Path
) -> Path:
    """Tell where the features below `boundary` lie: a folder named after the weights and pictures they are made of."""
    digest = hashlib.sha256(f"{classifier.size} {classifier.precision} {views}".encode())
    for weight in classifier.below(boundary).get_weights():
        digest.update(weight.tobytes())
    for pictures in (train, validation):
        digest.update(f" {len(pictures)} ".encode())
        for start in range(0, len(pictures), _HASHED_AT_ONCE):
            digest.update(pictures.batch(start, _HASHED_AT_ONCE).tobytes())
    return within / f"features-{boundary}-{digest.hexdigest()[:16]}"


def frozen_features(
    below: keras.Model,
    views: int,
    train: Pictures,
    validation: Pictures,
    folder: Path,
    on_progress: OnProgress,
    stop: StopRequest,
) -> tuple[Examples, Examples]:
    """Run frozen stages over all pictures, or find in `folder` what that gave an earlier run.

    They serve every run that freezes the same, and the next one if this is interrupted. Of two processes that want
    them, one makes them and the other waits.

    Returns:
        the training pictures in all their views, and the validation pictures as they are.

    Raises:
        TrainingError: the files do not fit on the disk.
        RunInterruptedError: the run was told to end; what was computed is kept.
    """
    with alone_in(folder, wait=True):
        seen = compute_once(below, train, views, folder, "training", on_progress, stop)
        held_out = compute_once(below, validation, 1, folder, "validation", on_progress, stop)
    return (
        Examples(seen, np.arange(len(train)), train.class_index),
        Examples(held_out, np.arange(len(validation)), validation.class_index),
    )


def remove_features(folders: Iterable[Path]) -> None:
    """Remove features that no process is computing; whoever reads them still can."""
    for folder in folders:
        if not folder.is_dir():
            continue
        try:
            with alone_in(folder, wait=False):
                shutil.rmtree(folder)
        except (BlockingIOError, FileNotFoundError):
            continue


def compute_once(
    below: keras.Model,
    pictures: Pictures,
    views: int,
    folder: Path,
    name: str,
    on_progress: OnProgress,
    stop: StopRequest,
) -> list[np.ndarray]:
    """Run frozen stages over every picture, once for each of its views, into files of float16.

    What an interrupted run left is gone on from. Not through a memory map: on a full disk that ends the process with
    SIGBUS, where write() raises an OSError.

    Returns:
        an array for each view, mapped from `folder`; row i belongs to row i of `pictures`.

    Raises:
        TrainingError: the files do not fit on the disk.
        RunInterruptedError: the run was told to end; what was computed is kept.
    """
    finished = [folder / f"{name}-{view}.npy" for view in range(views)]
    if not all(path.is_file() for path in finished):
        unfinished = [path.with_suffix(".partial") for path in finished]
        _compute(below, pictures, unfinished, name, on_progress, stop)
        for made, path in zip(unfinished, finished, strict=True):
            made.replace(path)
    return [np.lib.format.open_memmap(path, mode="r") for path in finished]


def _compute(
    below: keras.Model,
    pictures: Pictures,
    paths: Sequence[Path],
    name: str,
    on_progress: OnProgress,
    stop: StopRequest,
) -> None:
    shape = below.output_shape[1:]
    row_bytes = 2 * int(np.prod(shape))
    needed = len(paths) * len(pictures) * row_bytes - sum(path.stat().st_size for path in paths if path.exists())
    if needed > (free := shutil.disk_usage(paths[0].parent).free):
        raise TrainingError(
            f"The frozen features need {needed / 1e9:.1f} GB more and {paths[0].parent} has {free / 1e9:.1f} GB free: "
            "free some space, name another cache folder, or take fewer pictures or views."
        )
    with ExitStack() as opened:
        files = [opened.enter_context(path.open("ab+")) for path in paths]
        done = _keep_finished(files, (len(pictures), *shape), row_bytes)
        for start in range(done, len(pictures), PREDICT_BATCH):
            if stop.requested:
                raise stop.error("the frozen features so far are kept, and the same command goes on after them.")
            pixels = pictures.batch(start, PREDICT_BATCH)
            for file, view in zip(files, exact_views(pixels, len(files)), strict=True):
                file.write(predict(below, view).astype(np.float16).tobytes())
            for file in files:
                file.flush()
                os.fsync(file.fileno())  # so that after a loss of power all but the last block is sure to be whole
            on_progress(f"computing frozen features ({name})", start + len(pixels), len(pictures))


def _keep_finished(files: Sequence[BinaryIO], shape: tuple[int, ...], row_bytes: int) -> int:
    """Cut files that an earlier run left after their last sure block, begin new ones, and tell how many rows they have.

    Each file is the header of an .npy and then rows; the last block may have been cut short and is not trusted.
    """
    headers = []
    for file in files:
        file.seek(0)
        try:
            known = np.lib.format.read_magic(file) and np.lib.format.read_array_header_1_0(file)[0] == shape
        except ValueError:  # it is empty or was cut within the header
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
    """Run a model on one batch; all batches but the last of a set should have the same length.

    A shorter batch is filled up, so that the model is not compiled anew for its length.
    """
    missing = PREDICT_BATCH - len(batch)
    if missing > 0:
        batch = np.concatenate([batch, np.zeros((missing, *batch.shape[1:]), batch.dtype)])
    return model.predict_on_batch(batch)[: len(batch) - max(missing, 0)]
