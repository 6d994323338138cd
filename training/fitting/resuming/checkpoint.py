"""A checkpoint: one file with arrays by name, and a description of them as JSON."""

import json
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from contract.errors import TrainingError
from training.progress import Log

CHECKPOINT: Final = "checkpoint.npz"
DAMAGED: Final = "checkpoint.damaged.npz"
FORMAT: Final = 2  # format 1 also had a place within an epoch
_ABOUT: Final = "about"  # the JSON, as bytes
_UNFINISHED: Final = ".checkpoint.partial"


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """The content of a checkpoint."""

    about: dict[str, Any]
    arrays: dict[str, np.ndarray]

    def arrays_of(self, name: str) -> list[np.ndarray]:
        """Return the arrays that `number(name, ...)` named, in their order."""
        return [self.arrays[key] for key in sorted(self.arrays) if key.startswith(f"{name}/")]


def number(name: str, arrays: list[np.ndarray]) -> dict[str, np.ndarray]:
    """Name arrays `<name>/0000` and so on."""
    return {f"{name}/{index:04d}": array for index, array in enumerate(arrays)}


def write_checkpoint(folder: Path, about: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    """Write a checkpoint into `folder`. The earlier one stays until the new one is complete.

    Raises:
        OSError: it cannot be written, for example because the disk is full. The earlier one is still there.
    """
    unfinished = folder / _UNFINISHED
    description = json.dumps({**about, "format": FORMAT}).encode()
    try:
        with unfinished.open("wb") as file:
            np.savez(file, **{_ABOUT: np.frombuffer(description, np.uint8)}, **arrays)  # type: ignore[arg-type]
            file.flush()
            os.fsync(file.fileno())  # after a loss of power, the new name must not point to an incomplete file
        unfinished.replace(folder / CHECKPOINT)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise


def read_checkpoint(folder: Path, run: dict[str, Any], log: Log) -> Checkpoint | None:
    """Read the checkpoint of a run from `folder`, or return None if there is none.

    A damaged one is renamed to DAMAGED, and a line reports it.

    Args:
        folder: of the run.
        run: everything that decides the run's result, as it was written under "run".
        log: called with a line for people.

    Raises:
        TrainingError: it belongs to another run or has another format. It is left as it is.
    """
    path = folder / CHECKPOINT
    try:
        # Opened here, because numpy does not close a file that turns out not to be an archive.
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as archive:
            arrays = dict(archive)  # reads all, and compares each array with its checksum
        about = json.loads(arrays.pop(_ABOUT).tobytes())
        saved = about["run"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile):
        path.replace(folder / DAMAGED)
        log(f"the checkpoint in {folder} is damaged: it is now {DAMAGED} there, and the run starts from the beginning")
        return None
    if saved != json.loads(json.dumps(run)):
        differing = ", ".join(sorted(name for name in {*saved, *run} if saved.get(name) != run.get(name)))
        raise TrainingError(
            f"{path} belongs to a run that differs in {differing}: use that run's settings, name another folder for "
            "checkpoints, or delete this one and start again."
        )
    if about.get("format") != FORMAT:
        raise TrainingError(
            f"{path} was written by another version of this code: resume with that version, or delete it and start "
            "again."
        )
    return Checkpoint(about, arrays)


def remove_checkpoint(folder: Path) -> None:
    """Remove the checkpoint in a folder, if there is one."""
    for name in (CHECKPOINT, _UNFINISHED):
        (folder / name).unlink(missing_ok=True)
