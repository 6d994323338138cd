"""Build the function's image and print the size of its parts: `python -m tests.containers`."""

import sys
import time

from local.errors import LocalStackError
from local.function.emulator import emulator_binary
from tests.containers.function_image import build_image, create_container

ROWS = 12


def main() -> int:
    """Build, and print a table."""
    began = time.monotonic()
    try:
        image = build_image()
        with create_container(image, bundle=emulator_binary().parent) as container:
            parts = container.sizes()
    except LocalStackError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    small = parts[ROWS:]
    rows = [*parts[:ROWS], (f"{len(small)} smaller packages", sum(part.size_mb for part in small))]
    lines = [f"{name:32}{size_mb:8.1f} MB" for name, size_mb in rows]
    total = sum(part.size_mb for part in parts)
    print(*lines, f"{image:32}{total:8.1f} MB, in {time.monotonic() - began:.0f} s", sep="\n")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
