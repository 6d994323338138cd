"""The commit of this source code: from git, or from a file in the source bundle of a job."""

import subprocess
from pathlib import Path
from typing import Final

COMMIT_FILE: Final = "COMMIT"  # at the root of a source bundle, which has no .git folder
_SOURCE: Final = Path(__file__).resolve().parents[2]


def find_commit(source: Path = _SOURCE) -> str | None:
    """Return the commit hash of this source, or None outside a repository or without git."""
    commit_file = source / COMMIT_FILE
    if commit_file.is_file():
        return commit_file.read_text(encoding="utf-8").strip() or None
    try:
        done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=source, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def is_changed(folders: tuple[str, ...], source: Path = _SOURCE) -> bool:
    """Return whether these folders differ from the commit. Without git or a repository, they count as unchanged."""
    done = subprocess.run(["git", "status", "--porcelain", "--", *folders], cwd=source, capture_output=True, text=True)
    return bool(done.stdout.strip())
