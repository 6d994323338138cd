"""Build the function's image and say what it is made of: `python -m tests.containers [--base-image IMAGE]`."""

import argparse
import sys
import time

from local.emulator import emulator_binary
from local.errors import LocalStackError
from tests.containers.image import build_image, container_of

SHOWN = 12


def main() -> int:
    """Build, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base-image", help="with Python 3.11, pip and glibc; default: made from Debian packages")
    options = parser.parse_args()
    began = time.monotonic()
    try:
        image = build_image(options.base_image)
        with container_of(image, bundle=emulator_binary().parent) as container:
            shares = container.shares()
    except LocalStackError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    small = shares[SHOWN:]
    rows = [*shares[:SHOWN], (f"{len(small)} smaller packages", sum(share.size_mb for share in small))]
    lines = [f"{name:32}{size_mb:8.1f} MB" for name, size_mb in rows]
    total = sum(share.size_mb for share in shares)
    print(*lines, f"{image:32}{total:8.1f} MB, in {time.monotonic() - began:.0f} s", sep="\n")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
