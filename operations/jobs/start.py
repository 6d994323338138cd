"""What a container starts: installs the packages that were locked with the source, then becomes the entry point.

Runs on the standard library of whatever Python the image has. See docs/decisions/training-image.md.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from contract.errors import TrainingError
from operations.jobs.environment import JobEnvironment, failure_file, write_failure

SOURCE: Final = Path(__file__).resolve().parents[2]
REQUIREMENTS: Final = "requirements.txt"
SEVERAL: Final = "requirements-several.txt"  # beside the first, for a job of several instances
ENTRY: Final = "operations.jobs.entry"


def main() -> None:
    """Install, and hand this process over."""
    try:
        several = len(JobEnvironment.from_env(os.environ).cluster.hosts) > 1
        for name in (REQUIREMENTS, SEVERAL) if several else (REQUIREMENTS,):
            install(SOURCE / name)
    except TrainingError as error:
        print(error, flush=True)  # noqa: T201
        write_failure(failure_file(os.environ), str(error))
        sys.exit(1)
    os.chdir(SOURCE)
    os.execv(sys.executable, [sys.executable, "-m", ENTRY])  # noqa: S606  # the signals go where this process was


def pip_command(requirements: Path) -> list[str]:
    """Word the call that takes exactly what is locked: every package by its hash, and none that is not named."""
    options = ["--require-hashes", "--no-deps", "--disable-pip-version-check", "--quiet", "--root-user-action=ignore"]
    return [sys.executable, "-m", "pip", "install", *options, "--requirement", str(requirements)]


def install(requirements: Path) -> None:
    """Install what is locked.

    Raises:
        TrainingError: pip refuses; the sentence has its last words.
    """
    done = subprocess.run(pip_command(requirements), stdout=sys.stdout, stderr=subprocess.PIPE, text=True)
    print(done.stderr, end="", flush=True)  # noqa: T201
    if done.returncode:
        errors = [line.removeprefix("ERROR: ") for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise TrainingError(
            f"The packages of {requirements.name} could not be installed: {(errors or ['pip failed'])[0]} "
            "Let the job reach a package index, or train without a VPC."
        )


if __name__ == "__main__":
    main()
