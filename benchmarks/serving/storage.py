"""An S3 on this machine that holds the model: where a cold start has it from."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contract.bundle import MANIFEST, MODEL, REFERENCE
from local.processes import HOST, Program, answers, free_port

BUCKET, PREFIX = "models", "models/benchmark"
ENDPOINT = "BENCH_S3_ENDPOINT"  # tells the contenders where it is
START_TIMEOUT_S = 30.0


@contextmanager
def local_s3(bundle: Path, log: Path) -> Iterator[None]:
    """Serve a bundle from moto, in a process of its own."""
    import boto3

    port = free_port()
    url = f"http://{HOST}:{port}"
    server = Program("S3", [sys.executable, "-m", "moto.server", f"-p{port}"], environment={}, log=log)
    try:
        server.wait_until(lambda: answers(f"{url}/moto-api/data.json"), START_TIMEOUT_S)
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
