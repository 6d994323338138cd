"""Where a run keeps its checkpoint while it is unfinished: a folder of its own, found again by what the run is."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from contract.errors import TrainingError
from training.fitting.resuming.checkpoint import CHECKPOINT, remove_checkpoint
from training.fitting.resuming.lock import LOCK, alone_in
from training.progress import Say


@contextmanager
def run_folder(folder: Path, *, fresh: bool) -> Iterator[Path]:
    """Hold the folder of a run, made if need be; when the inside ends well, its checkpoint is removed.

    Args:
        folder: of this run alone.
        fresh: give up the checkpoint that is there.

    Raises:
        TrainingError: another process holds it.
    """
    with ExitStack() as held:
        try:
            held.enter_context(alone_in(folder, wait=False))
        except BlockingIOError as error:
            raise TrainingError(
                f"Another process is training this very run, with its checkpoints in {folder}: wait for it, end it, or "
                "name another folder for checkpoints."
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


def folder_of(run: dict[str, Any], cache: Path, say: Say) -> Path:
    """Name the folder of a run after what decides its result, and tell if other runs in the cache are unfinished."""
    folder = cache / "checkpoints" / hashlib.sha256(json.dumps(run, sort_keys=True).encode()).hexdigest()[:16]
    others = [path.parent for path in sorted(folder.parent.glob(f"*/{CHECKPOINT}")) if path.parent != folder]
    if others and not (folder / CHECKPOINT).exists():
        say(
            f"an unfinished run with other settings, pictures or weights is kept in {others[-1]}; this is another one "
            "and starts from the beginning"
        )
    return folder
