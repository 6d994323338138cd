"""The function's settings: environment variables, read once."""

import math
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

NAMESPACE = "SkinLesionAnalyzer"  # of the CloudWatch metrics
MEMORY_MB_PER_VCPU = 1769  # https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of one container."""

    model_uri: str | None  # s3://bucket/models/<version> or file:///...; None until a first model is promoted
    model_cache: Path  # folder of fetched bundles, one for each version
    threads: int  # of ONNX Runtime: one per vCPU
    region: str
    s3_endpoint_url: str | None  # a server other than Amazon's, for the local stack
    metrics_namespace: str = NAMESPACE  # of CloudWatch; each stack in an account has its own

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> "Settings":
        """Read the environment; only the outermost function calls this."""
        environ = os.environ if environ is None else environ
        memory_mb = int(environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE") or MEMORY_MB_PER_VCPU)
        return cls(
            model_uri=environ.get("MODEL_URI") or None,
            model_cache=Path(environ.get("MODEL_CACHE") or Path(tempfile.gettempdir()) / "models"),
            threads=max(1, math.floor(memory_mb / MEMORY_MB_PER_VCPU)),
            region=environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or "us-east-1",
            s3_endpoint_url=environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL") or None,
            metrics_namespace=environ.get("POWERTOOLS_METRICS_NAMESPACE") or NAMESPACE,
        )
