"""A run as one file, written between two steps: arrays by name, and what is said about them as JSON."""

import json
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from contract.errors import TrainingError
from training.progress import Say

CHECKPOINT: Final = "checkpoint.npz"
DAMAGED: Final = "checkpoint.damaged.npz"
_ABOUT: Final = "about"  # the JSON, as bytes
_UNFINISHED: Final = ".checkpoint.partial"


@dataclass(frozen=True, eq=False)
class Saved:
    """What a checkpoint holds."""

    about: dict[str, Any]
    arrays: dict[str, np.ndarray]

    def under(self, name: str) -> list[np.ndarray]:
        """Give the arrays that `number(name, ...)` named, in their order."""
        return [self.arrays[key] for key in sorted(self.arrays) if key.startswith(f"{name}/")]


def number(name: str, arrays: list[np.ndarray]) -> dict[str, np.ndarray]:
    """Name arrays `<name>/0000` and so on."""
    return {f"{name}/{index:04d}": array for index, array in enumerate(arrays)}


def write_checkpoint(folder: Path, about: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    """Write a checkpoint into `folder`; the one before is there until this one is whole.

    Raises:
        OSError: it cannot be written, for one because the disk is full; the one before is still there.
    """
    unfinished = folder / _UNFINISHED
    try:
        with unfinished.open("wb") as file:
            np.savez(file, **{_ABOUT: np.frombuffer(json.dumps(about).encode(), np.uint8)}, **arrays)  # type: ignore[arg-type]
            file.flush()
            os.fsync(file.fileno())  # the name must not outlive the bytes when the power goes
        unfinished.replace(folder / CHECKPOINT)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise


def read_checkpoint(folder: Path, run: dict[str, Any], say: Say) -> Saved | None:
    """Read the checkpoint of a run from `folder`, or nothing if there is none.

    One that is damaged is set aside under another name, which `say` tells.

    Args:
        folder: where it would lie.
        run: what decides the run's result, as it was written under "run".
        say: called with a line for people.

    Raises:
        TrainingError: it belongs to another run; it is left as it is.
    """
    path = folder / CHECKPOINT
    try:
        # Opened here, since numpy leaves a file open that turns out to be no archive.
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as archive:
            arrays = dict(archive)  # all of it, each against its checksum
        about = json.loads(arrays.pop(_ABOUT).tobytes())
        kept = about["run"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile):
        path.replace(folder / DAMAGED)
        say(f"the checkpoint in {folder} is damaged: it is now {DAMAGED} there, and the run starts from the beginning")
        return None
    if kept != json.loads(json.dumps(run)):
        other = ", ".join(sorted(name for name in {*kept, *run} if kept.get(name) != run.get(name)))
        raise TrainingError(
            f"{path} belongs to a run with another {other}: name another folder for checkpoints, go on with that run's "
            "settings, or start anew and give it up."
        )
    return Saved(about, arrays)


def remove_checkpoint(folder: Path) -> None:
    """Remove a checkpoint that is wanted no more."""
    for name in (CHECKPOINT, _UNFINISHED):
        (folder / name).unlink(missing_ok=True)
