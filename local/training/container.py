"""SageMaker's training container as folders of this machine: its /opt/ml, filled from S3 and uploaded to S3."""

import json
import os
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from contract.s3_uri import S3Uri

HOST = "algo-1"  # SageMaker's name of the first instance


class TrainingContainer:
    """The folders, the entry point and the environment of one job."""

    def __init__(self, request: dict[str, Any], base: Path, s3: Any) -> None:
        """Create nothing yet.

        Args:
            request: of CreateTrainingJob.
            base: the folder that is used as /opt/ml.
            s3: boto3's client of S3.
        """
        self._request, self._base, self._s3 = request, base, s3
        self._name = str(request["TrainingJobName"])
        self._checkpoints_uri: str | None = request.get("CheckpointConfig", {}).get("S3Uri")
        self.code = base / "code"
        self.command = [sys.executable, "-u", "-m", "operations.container.entry"]

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables of the entry point."""
        return {
            **os.environ,
            **self._request.get("Environment", {}),
            "SAGEMAKER_BASE_DIR": str(self._base),
            "TRAINING_JOB_NAME": self._name,
            "PYTHONPATH": str(self.code),
            "TF_CPP_MIN_LOG_LEVEL": "3",
        }

    def prepare(self) -> None:
        """Download the channels and the checkpoints, unpack the source, and write SageMaker's configuration files."""
        for channel in self._request["InputDataConfig"]:
            uri = channel["DataSource"]["S3DataSource"]["S3Uri"]
            self._download(uri, self._base / "input" / "data" / channel["ChannelName"])
        (self._base / "checkpoints").mkdir(parents=True, exist_ok=True)
        if self._checkpoints_uri:
            self._download(self._checkpoints_uri, self._base / "checkpoints")
        with tarfile.open(self._base / "input" / "data" / "code" / "source.tar.gz") as source:
            source.extractall(self.code, filter="data")
        config = self._base / "input" / "config"
        config.mkdir(parents=True, exist_ok=True)
        (config / "hyperparameters.json").write_text(json.dumps(self._request.get("HyperParameters", {})))
        (config / "resourceconfig.json").write_text(json.dumps({"current_host": HOST, "hosts": [HOST]}))
        (self._base / "model").mkdir(exist_ok=True)

    def failure(self) -> str:
        """Return the reason that a failed job wrote to its failure file."""
        failure = self._base / "output" / "failure"
        return failure.read_text() if failure.is_file() else "The last lines of the job's log show the error."

    def upload_checkpoints(self) -> None:
        """Make the checkpoints in S3 equal to those in the folder, if the job asks for checkpoints."""
        if self._checkpoints_uri:
            self._upload(self._base / "checkpoints", self._checkpoints_uri)

    def upload_model(self) -> None:
        """Upload the model folder as model.tar.gz."""
        archive = self._base / "model.tar.gz"
        with tarfile.open(archive, "w:gz", compresslevel=1) as tar:
            tar.add(self._base / "model", arcname=".")
        bucket, prefix = S3Uri.parse(f"{self._request['OutputDataConfig']['S3OutputPath'].rstrip('/')}/{self._name}")
        self._s3.upload_file(str(archive), bucket, f"{prefix}/output/model.tar.gz")

    def _keys(self, bucket: str, prefix: str) -> Iterator[str]:
        for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            yield from (entry["Key"] for entry in page.get("Contents", []))

    def _download(self, uri: str, folder: Path) -> None:
        """Download every object under an S3 prefix; a file's name is its key after the last slash of the prefix."""
        bucket, prefix = S3Uri.parse(uri)
        folder.mkdir(parents=True, exist_ok=True)
        start = prefix.rfind("/") + 1
        for key in self._keys(bucket, prefix):
            target = folder / key[start:]
            if key.endswith("/") or not target.resolve().is_relative_to(folder.resolve()):
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            self._s3.download_file(bucket, key, str(target))

    def _upload(self, folder: Path, uri: str) -> None:
        """Make the objects under an S3 prefix equal to the files in a folder."""
        bucket, prefix = S3Uri.parse(uri.rstrip("/") + "/")
        old = set(self._keys(bucket, prefix))
        files = {f"{prefix}{path.relative_to(folder)}": path for path in folder.rglob("*") if path.is_file()}
        for key, path in files.items():
            self._s3.upload_file(str(path), bucket, key)
        for key in old - files.keys():
            self._s3.delete_object(Bucket=bucket, Key=key)
