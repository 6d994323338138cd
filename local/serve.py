"""The program behind the local API: the gateway, the versions of the function behind its alias, and AWS's endpoints."""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import boto3
import waitress

from local.cloud import ALIAS, FUNCTION
from local.codedeploy import CodeDeploy
from local.emulator import Function
from local.endpoints import create_endpoints
from local.gateway import MAX_PAYLOAD_BYTES, Wsgi, create_gateway
from local.processes import HOST
from local.versions import VersionedFunction

THREADS = 16


def main() -> None:
    """Serve until SIGTERM; what the versions read beside their own environment is this process's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="of the HTTP API")
    parser.add_argument("--endpoints-port", type=int, required=True, help="of Lambda's and CodeDeploy's own APIs")
    parser.add_argument("--limit", type=int, required=True, help="of concurrent calls of a version")
    parser.add_argument("--logs", type=Path, required=True, help="folder for the function's logs")
    parser.add_argument("--canary-s", type=float, required=True, help="how long a canary lasts")
    options = parser.parse_args()
    aws_url = os.environ["AWS_ENDPOINT_URL"]
    functions = boto3.client("lambda", endpoint_url=aws_url)

    def make(version: str, environment: Mapping[str, str]) -> Function:
        return Function(environment=environment, logs=options.logs / f"version-{version}", limit=options.limit)

    function = VersionedFunction(functions, FUNCTION, ALIAS, make)
    codedeploy = CodeDeploy(functions, function.failed, function.forget, canary_s=options.canary_s)
    endpoints = create_endpoints(function, codedeploy, aws_url)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        threading.Thread(target=_serve, args=[endpoints, options.endpoints_port], daemon=True).start()
        _serve(create_gateway(function), options.port)
    finally:
        function.stop()


def _serve(app: Wsgi, port: int) -> None:
    waitress.serve(
        app,
        host=HOST,
        port=port,
        threads=THREADS,
        max_request_body_size=4 * MAX_PAYLOAD_BYTES,  # over it waitress hangs up, and no answer could be read
        ident=None,
        _quiet=True,
    )


if __name__ == "__main__":
    main()
