"""The local stack's AWS in this process: moto, with training jobs that run."""

import io
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from wsgiref.types import WSGIApplication

import boto3
from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import make_server

from local.aws_server import create_aws
from local.processes import HOST, free_port
from local.training.jobs import TrainingJobs


class LocalAws:
    """A server that can be stopped and started again without losing its state."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"http://{HOST}:{self.port}"
        self.jobs = TrainingJobs(folder, self.url)
        self._app: WSGIApplication = create_aws(self.jobs)

    def start(self) -> None:
        """Start to answer."""
        self._server = make_server(HOST, self.port, self._app, threaded=True, request_handler=MotoRequestHandler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def stop(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@contextmanager
def local_aws(folder: Path) -> Iterator[LocalAws]:
    """Start the server, and stop it at the end."""
    aws = LocalAws(folder)
    aws.start()
    try:
        yield aws
    finally:
        aws.stop()


# The source of a job for tests of the runner: it prints its inputs, and its hyperparameter `do` says how it ends.
ENTRY = """
import json, os, pathlib, signal, sys, time
base = pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"])
hyperparameters = json.loads((base / "input" / "config" / "hyperparameters.json").read_text())
print("job", os.environ["TRAINING_JOB_NAME"])
print("channels", *sorted(str(path.relative_to(base / "input" / "data")) for path in base.glob("input/data/*/*")))
checkpoint = base / "checkpoints" / "run" / "step"
print("goes on from", checkpoint.read_text() if checkpoint.exists() else "nothing")
print("loss 0.5")
for step in range(3):
    print(f"progress: training {step + 1}/3", flush=True)
if hyperparameters["do"] == "fail":
    (base / "output").mkdir()
    (base / "output" / "failure").write_text("The loss stopped being a number.")
    sys.exit(1)
if hyperparameters["do"] == "wait":
    def save(*_):
        checkpoint.parent.mkdir(exist_ok=True)
        checkpoint.write_text("step 7")
        print("saved", flush=True)
        sys.exit(143)
    signal.signal(signal.SIGTERM, save)
    print("waits", flush=True)
    time.sleep(60)
(base / "model" / "bundle").write_text("a model")
print("loss 0.25")
"""


def put_job(bucket: str, name: str, do: str, **request: Any) -> None:
    """Upload that source and some data, and create a job that runs it."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        files = {
            "operations/__init__.py": "",
            "operations/container/__init__.py": "",
            "operations/container/entry.py": ENTRY,
        }
        for path, text in files.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(text.encode())
            tar.addfile(entry, io.BytesIO(text.encode()))
    s3 = boto3.client("s3")
    s3.put_object(Bucket=bucket, Key=f"jobs/{name}/source/source.tar.gz", Body=archive.getvalue())
    s3.put_object(Bucket=bucket, Key="data/images/a.jpg", Body=b"a picture")
    s3.put_object(Bucket=bucket, Key="data/table.csv", Body=b"a table")
    channels = {"code": f"jobs/{name}/source/", "images": "data/images/", "metadata": "data/table.csv"}
    boto3.client("sagemaker").create_training_job(
        **{
            "TrainingJobName": name,
            "RoleArn": "arn:aws:iam::123456789012:role/training",
            "AlgorithmSpecification": {
                "TrainingImage": "image",
                "TrainingInputMode": "File",
                "MetricDefinitions": [{"Name": "loss", "Regex": "^loss ([0-9.]+)"}],
            },
            "HyperParameters": {"do": do},
            "InputDataConfig": [
                {
                    "ChannelName": channel,
                    "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/{key}"}},
                }
                for channel, key in channels.items()
            ],
            "OutputDataConfig": {"S3OutputPath": f"s3://{bucket}/jobs"},
            "CheckpointConfig": {"S3Uri": f"s3://{bucket}/checkpoints/{name}/"},
            "ResourceConfig": {"InstanceType": "ml.g5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 10},
            "StoppingCondition": {"MaxRuntimeInSeconds": 60},
            **request,
        }
    )
