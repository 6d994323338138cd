"""The first module that a container runs: install the locked packages, then become the entry point.

It needs only the standard library of the image's Python. See docs/decisions/training-image.md.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from contract.errors import TrainingError
from operations.container.environment import JobEnvironment, failure_file, write_failure

SOURCE: Final = Path(__file__).resolve().parents[2]
REQUIREMENTS: Final = "requirements.txt"
DISTRIBUTED_REQUIREMENTS: Final = "requirements-distributed.txt"  # installed too if the job has several instances
ENTRY: Final = "operations.container.entry"


def main() -> None:
    """Install the packages, and replace this process by the entry point."""
    try:
        distributed = len(JobEnvironment.from_env(os.environ).cluster.hosts) > 1
        for name in (REQUIREMENTS, DISTRIBUTED_REQUIREMENTS) if distributed else (REQUIREMENTS,):
            install(SOURCE / name)
    except TrainingError as error:
        print(error, flush=True)  # noqa: T201
        write_failure(failure_file(os.environ), str(error))
        sys.exit(1)
    os.chdir(SOURCE)
    os.execv(sys.executable, [sys.executable, "-m", ENTRY])  # noqa: S606  # the entry point gets SageMaker's signals


def pip_command(requirements: Path) -> list[str]:
    """Return the pip command that installs exactly the locked packages, each verified by its hash."""
    options = ["--require-hashes", "--no-deps", "--disable-pip-version-check", "--quiet", "--root-user-action=ignore"]
    return [sys.executable, "-m", "pip", "install", *options, "--requirement", str(requirements)]


def install(requirements: Path) -> None:
    """Install the packages of a lock file.

    Raises:
        TrainingError: pip failed; the sentence has its first error.
    """
    done = subprocess.run(pip_command(requirements), stdout=sys.stdout, stderr=subprocess.PIPE, text=True)
    print(done.stderr, end="", flush=True)  # noqa: T201
    if done.returncode:
        errors = [line.removeprefix("ERROR: ") for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise TrainingError(
            f"The packages of {requirements.name} could not be installed: {(errors or ['pip failed'])[0]} "
            "Give the job access to a package index, or train without a VPC."
        )


if __name__ == "__main__":
    main()
