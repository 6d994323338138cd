"""The folder of a run's checkpoint while the run is unfinished."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import filelock

from contract.errors import TrainingError
from training.file_lock import LOCK, locked_folder
from training.fitting.resuming.checkpoint import CHECKPOINT, remove_checkpoint
from training.progress import Log


@contextmanager
def run_folder(folder: Path, *, fresh: bool) -> Iterator[Path]:
    """Lock the folder of a run. When the block ends without an error, its checkpoint is removed.

    Args:
        folder: for this run only; made if it is missing.
        fresh: remove the checkpoint of an earlier run first.

    Raises:
        TrainingError: another process has locked it.
    """
    with ExitStack() as lock:
        try:
            lock.enter_context(locked_folder(folder, wait=False))
        except filelock.Timeout as error:
            raise TrainingError(
                f"Another process is training this run, with its checkpoints in {folder}: wait until it ends, stop it, "
                "or name another folder for checkpoints."
            ) from error
        if fresh:
            remove_checkpoint(folder)
        try:
            yield folder
            remove_checkpoint(folder)
        finally:
            if not (folder / CHECKPOINT).exists():
                (folder / LOCK).unlink(missing_ok=True)
                if not any(folder.iterdir()):
                    folder.rmdir()


def checkpoint_folder(run: dict[str, Any], cache: Path, log: Log) -> Path:
    """Name the folder of a run in the cache after everything that decides its result.

    If the run has no checkpoint and other runs in the cache have one, a line reports that this run is a new one.
    """
    folder = cache / "checkpoints" / hashlib.sha256(json.dumps(run, sort_keys=True).encode()).hexdigest()[:16]
    others = [path.parent for path in sorted(folder.parent.glob(f"*/{CHECKPOINT}")) if path.parent != folder]
    if others and not (folder / CHECKPOINT).exists():
        log(
            f"an unfinished run with other settings, pictures or weights is in {others[-1]}; this run is another one "
            "and starts from the beginning"
        )
    return folder
