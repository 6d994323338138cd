"""buildah, set up for a CI container: no daemon, no overlay file system, no namespaces."""

import os
import shutil
import subprocess

from local.errors import LocalStackError

ENVIRONMENT = {"STORAGE_DRIVER": "vfs", "BUILDAH_ISOLATION": "chroot"}


def missing_requirement() -> str | None:
    """Return the reason why images cannot be built here, or None if they can."""
    if shutil.which("buildah") is None:
        return "buildah is not installed: apt install buildah"
    if os.geteuid() != 0:
        return "buildah needs root, because it isolates the build by chroot"
    return None


def buildah(*arguments: str) -> str:
    """Run one command and return its output.

    Raises:
        LocalStackError: buildah cannot be used here, or fails.
    """
    if reason := missing_requirement():
        raise LocalStackError(f"Images cannot be built here: {reason}.")
    environment = {**ENVIRONMENT, **os.environ}
    done = subprocess.run(["buildah", *arguments], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LocalStackError(f"buildah {arguments[0]} failed: {_last_lines(done.stdout + done.stderr)}")
    return done.stdout.strip()


def _last_lines(output: str) -> str:
    """Return the last lines of the failed step, without buildah's own, which repeats the step."""
    lines = [line for line in output.splitlines() if line.strip() and not line.startswith("subprocess exited")]
    return " / ".join(line[:300] for line in lines[-5:]) or "it printed nothing"
