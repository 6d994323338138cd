"""Our gateway and the function under AWS's emulator: `python -m benchmarks.serving.systems.gateway_app PORT LOGS`."""

import signal
import sys
from pathlib import Path

import waitress

from local.function.concurrency import Function
from local.gateway import create_gateway
from local.processes import HOST


def main() -> None:
    """Serve until SIGTERM. The function inherits this process's environment variables."""
    port, logs = sys.argv[1:]
    function = Function(environment={}, logs=Path(logs), concurrency=1)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        waitress.serve(create_gateway(function), host=HOST, port=int(port), threads=4, ident=None, _quiet=True)
    finally:
        function.stop()


if __name__ == "__main__":
    main()
