"""Which commit this source is of: asked of git, or read from what a job's source bundle says of itself."""

import subprocess
from pathlib import Path
from typing import Final

COMMIT_FILE: Final = "COMMIT"  # at the root of a source bundle, which has no history with it
_SOURCE: Final = Path(__file__).resolve().parents[1]


def find_commit(source: Path = _SOURCE) -> str | None:
    """Name the commit of this source, or nothing where it lies outside a repository or git is not installed."""
    told = source / COMMIT_FILE
    if told.is_file():
        return told.read_text(encoding="utf-8").strip() or None
    try:
        asked = subprocess.run(["git", "rev-parse", "HEAD"], cwd=source, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return asked.stdout.strip()


def is_changed(folders: tuple[str, ...], source: Path = _SOURCE) -> bool:
    """Tell whether anything in these folders differs from the commit, as far as git can say."""
    asked = subprocess.run(["git", "status", "--porcelain", "--", *folders], cwd=source, capture_output=True, text=True)
    return bool(asked.stdout.strip())
