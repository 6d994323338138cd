"""Our gateway in front of one version of the function, under AWS's emulator: `python -m ... PORT LOGS`."""

import signal
import sys
from pathlib import Path

import waitress

from local.emulator import Function
from local.gateway import create_gateway
from local.processes import HOST


def main() -> None:
    """Serve until SIGTERM; the function's environment is this process's own."""
    port, logs = sys.argv[1:]
    function = Function(environment={}, logs=Path(logs), limit=1)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        waitress.serve(create_gateway(function), host=HOST, port=int(port), threads=4, ident=None, _quiet=True)
    finally:
        function.stop()


if __name__ == "__main__":
    main()
