"""buildah, told to do without what a container engine needs: no daemon, no overlay file system, no namespaces."""

import os
import shutil
import subprocess

from local.errors import LocalStackError

ENVIRONMENT = {"STORAGE_DRIVER": "vfs", "BUILDAH_ISOLATION": "chroot"}


def why_not() -> str | None:
    """Tell why images cannot be built here, or None if they can."""
    if shutil.which("buildah") is None:
        return "buildah is not here: apt install buildah"
    if os.geteuid() != 0:
        return "buildah enters an image by chroot, which only root may"
    return None


def buildah(*arguments: str) -> str:
    """Run one command and return what it prints.

    Raises:
        LocalStackError: buildah cannot be used here, or fails.
    """
    if reason := why_not():
        raise LocalStackError(f"Images cannot be built here: {reason}.")
    environment = {**ENVIRONMENT, **os.environ}
    done = subprocess.run(["buildah", *arguments], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LocalStackError(f"buildah {arguments[0]} failed: {_last_words(done.stdout + done.stderr)}")
    return done.stdout.strip()


def _last_words(output: str) -> str:
    """Take what the failed step itself said last; buildah closes by repeating the step."""
    lines = [line for line in output.splitlines() if line.strip() and not line.startswith("subprocess exited")]
    return " / ".join(line[:300] for line in lines[-5:]) or "it said nothing"
