"""The program behind the local HTTP API: the gateway, the function, and the Lambda and CodeDeploy endpoints."""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from wsgiref.types import WSGIApplication

import boto3
import waitress

from local.function.codedeploy import CodeDeploy
from local.function.concurrency import Function
from local.function.endpoints import create_endpoints
from local.function.versions import VersionedFunction
from local.gateway import MAX_PAYLOAD_BYTES, create_gateway
from local.processes import HOST
from local.resources import ALIAS, FUNCTION

THREADS = 16


def main() -> None:
    """Serve until SIGTERM. The function's versions inherit this process's environment variables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="of the HTTP API")
    parser.add_argument("--endpoints-port", type=int, required=True, help="of the Lambda and CodeDeploy endpoints")
    parser.add_argument("--concurrency", type=int, required=True, help="limit of concurrent calls of one version")
    parser.add_argument("--logs", type=Path, required=True, help="folder for the function's logs")
    parser.add_argument("--canary-s", type=float, required=True, help="duration of a canary in seconds")
    options = parser.parse_args()
    aws_url = os.environ["AWS_ENDPOINT_URL"]
    lambda_client = boto3.client("lambda", endpoint_url=aws_url)

    def start_version(version: str, environment: Mapping[str, str]) -> Function:
        logs = options.logs / f"version-{version}"
        return Function(environment=environment, logs=logs, concurrency=options.concurrency)

    function = VersionedFunction(lambda_client, FUNCTION, ALIAS, start_version)
    codedeploy = CodeDeploy(lambda_client, function.failures, function.expire_weights, canary_s=options.canary_s)
    endpoints = create_endpoints(function, codedeploy, aws_url)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        threading.Thread(target=_serve, args=[endpoints, options.endpoints_port], daemon=True).start()
        _serve(create_gateway(function), options.port)
    finally:
        function.stop()


def _serve(app: WSGIApplication, port: int) -> None:
    waitress.serve(
        app,
        host=HOST,
        port=port,
        threads=THREADS,
        max_request_body_size=4 * MAX_PAYLOAD_BYTES,  # above it waitress closes the connection without a response
        ident=None,
        _quiet=True,
    )


if __name__ == "__main__":
    main()
