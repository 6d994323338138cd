"""Predictions over HTTP on this machine: our gateway with the function, and LitServe with the same model."""

import base64
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import urllib3

from benchmarks.serving.worker import Ready, Setup
from local.processes import HOST, Program, free_port

START_TIMEOUT_S = 60.0


def gateway(setup: Setup) -> Ready:
    """Start the gateway, the emulator and the function, as `lesion local up` does."""
    port = free_port()
    logs = Path(tempfile.mkdtemp())
    environment = {"MODEL_URI": setup.model.resolve().as_uri(), "MODEL_CACHE": str(logs / "models")}
    command = [sys.executable, "-m", "benchmarks.serving.systems.gateway_app", str(port), str(logs)]
    url = f"http://{HOST}:{port}/v1"
    body = setup.picture.read_bytes()
    return _start_server(command, environment, logs, f"{url}/health", f"{url}/predictions", body, "image/jpeg")


def litserve(setup: Setup) -> Ready:
    """Start LitServe as its documentation does: one worker, the picture as base64 in JSON."""
    port = free_port()
    logs = Path(tempfile.mkdtemp())
    command = [
        sys.executable,
        "-m",
        "benchmarks.serving.systems.litserve_app",
        str(setup.model),
        str(port),
        str(setup.size),
    ]
    body = json.dumps({"image": base64.b64encode(setup.picture.read_bytes()).decode()}).encode()
    url = f"http://{HOST}:{port}"
    return _start_server(command, {}, logs, f"{url}/health", f"{url}/predict", body, "application/json")


def _start_server(
    command: list[str],
    environment: dict[str, str],
    logs: Path,
    health: str,
    url: str,
    body: bytes,
    content_type: str,
) -> Ready:
    """Start a server, wait until it is healthy, and send the requests over one connection."""
    http = urllib3.PoolManager(retries=False, timeout=START_TIMEOUT_S)
    began_s = time.time()
    server = Program("server", command, environment={**os.environ, **environment}, log=logs / "server.log")

    def healthy() -> bool:
        try:
            return bool(http.request("GET", health).status == 200)
        except urllib3.exceptions.HTTPError:
            return False

    server.wait_until(healthy, START_TIMEOUT_S)

    def predict() -> Any:
        response = http.request("POST", url, body=body, headers={"Content-Type": content_type})
        if response.status != 200:
            raise RuntimeError(f"{response.status}: {response.data[:300]!r}")
        return response.json()

    return Ready(predict, began_s)
