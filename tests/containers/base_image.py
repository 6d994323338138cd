"""A base image for machines without a registry: Debian 12 with Python 3.11, made by debootstrap."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from local.errors import LocalStackError
from tests.containers.buildah import buildah

SUITE = "bookworm"
PACKAGES = ("ca-certificates", "libstdc++6", "python-is-python3", "python3", "python3-pip")
NAME = f"localhost/debian-python:{SUITE}"
MEMORY = Path("/dev/shm")  # noqa: S108  in memory: on a disk, dpkg waits for a sync after every file


def make_base_image() -> str:
    """Return the name of the base image. If it does not exist, it is made first, which takes a minute or two.

    Raises:
        LocalStackError: debootstrap is not installed or fails.
    """
    if NAME in buildah("images", "--format", "{{.Name}}:{{.Tag}}").split():
        return NAME
    if shutil.which("debootstrap") is None:
        raise LocalStackError("The base image needs debootstrap: apt install debootstrap.")
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        root = Path(folder) / "root"
        # without a mirror argument, debootstrap uses its default for the suite
        command = ["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", SUITE, str(root)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise LocalStackError(f"debootstrap failed: {(done.stdout + done.stderr).strip().splitlines()[-1]}")
        for cache in ("var/cache/apt/archives", "var/lib/apt/lists", "usr/share/doc", "usr/share/man"):
            shutil.rmtree(root / cache, ignore_errors=True)
        container = buildah("from", "scratch")
        try:
            buildah("add", "--quiet", container, str(root), "/")
            buildah("commit", "--quiet", container, NAME)
        finally:
            buildah("rm", container)
    return NAME
