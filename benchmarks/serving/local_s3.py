"""S3 on this machine, by moto: a cold start downloads the model from it."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contract.bundle import MANIFEST, MODEL, REFERENCE
from local.processes import HOST, Program, free_port, responds

BUCKET, PREFIX = "models", "models/benchmark"
ENDPOINT = "BENCH_S3_ENDPOINT"  # the environment variable with its URL
START_TIMEOUT_S = 30.0


@contextmanager
def local_s3(bundle: Path, log: Path) -> Iterator[None]:
    """Upload a bundle to a moto server in another process, and set the variable `ENDPOINT` inside the block."""
    import boto3

    port = free_port()
    url = f"http://{HOST}:{port}"
    server = Program("S3", [sys.executable, "-m", "moto.server", f"-p{port}"], environment={}, log=log)
    try:
        server.wait_until(lambda: responds(f"{url}/moto-api/data.json"), START_TIMEOUT_S)
        s3 = boto3.client(
            "s3",
            "us-east-1",
            endpoint_url=url,
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106
        )
        s3.create_bucket(Bucket=BUCKET)
        for name in (MANIFEST, MODEL, REFERENCE):
            s3.upload_file(str(bundle / name), BUCKET, f"{PREFIX}/{name}")
        os.environ[ENDPOINT] = url
        yield
    finally:
        os.environ.pop(ENDPOINT, None)
        server.stop()
